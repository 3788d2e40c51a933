import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInbox, type Source, type SourceListener } from "../src/index.ts";
import { bareFileLedger } from "./bare-file.ts";
import { deltaHeavy, Traffic } from "./traffic.ts";

/** What to measure in one process. */
export interface LatencyTask {
  readonly eventsPerSecond: number;
  readonly seconds: number;
  readonly ledger: "memory" | "file" | "bare file";
}

/** The time from a final's arrival to the handler's call, in ms. */
export interface Percentiles {
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
}

/** One measurement for each clock, in separate runs. */
export interface Latency {
  readonly wall: Percentiles;
  readonly cpu: Percentiles;
}

type ClockMs = () => number;

/** The CPU time of this process. It stands still while other processes run. */
const cpuClock: ClockMs = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
};

const LIVE = 100;
// Runs end after 20 deltas here, so that a few seconds have enough finals for a p99.9.
const STEPS = 20;
const WARM_UP_EVENTS = 30_000;

const whole = deltaHeavy();
const last = whole.frames.at(-1) as readonly [string, string];
const kind = { ...whole, deltas: STEPS, frames: [...whole.frames.slice(0, STEPS), last] };

export async function measureLatency(task: LatencyTask): Promise<Latency> {
  return { wall: await measureBy(() => performance.now(), task), cpu: await measureBy(cpuClock, task) };
}

/**
 * A final arrives when it is due, even if this process has no time for it. If an event waits for a garbage collection
 * or for earlier events, that wait is counted.
 */
async function measureBy(clock: ClockMs, { eventsPerSecond, seconds, ledger }: LatencyTask): Promise<Percentiles> {
  const folder = mkdtempSync(join(tmpdir(), "inbox-bench-"));
  const dueAt = new Map<string, number>();
  const lateness: number[] = [];
  const { source, take } = createHandSource();
  const inbox = createInbox({
    source,
    ...(ledger === "file" && { ledger: join(folder, "bench.db") }),
    ...(ledger === "bare file" && { ledger: bareFileLedger(join(folder, "bare")) }),
    deliver({ runId, text }) {
      const due = dueAt.get(runId);
      if (due === undefined || text !== kind.text) throw new Error("A message that nobody sent");
      dueAt.delete(runId);
      lateness.push(clock() - due);
    },
  });
  await inbox.start();
  const traffic = new Traffic(kind, LIVE, 3);
  for (const frames of traffic.opening()) for (const frame of frames) take(frame);

  const play = async (count: number, gapMs: number) => {
    const begin = clock();
    for (let next = 0; next < count; ) {
      const now = clock();
      for (; next < count && begin + next * gapMs <= now; next++) {
        // The frames are made when they are due. A second's worth of waiting frames would be work for the collector.
        const { frame, ends } = traffic.one();
        if (ends !== undefined) dueAt.set(ends, begin + next * gapMs);
        take(frame);
      }
      await nextTurn();
    }
    while (dueAt.size > 0) await nextTurn();
  };
  // Warm up, so that the code is compiled as in a process that has run for a while.
  for (let done = 0; done < WARM_UP_EVENTS; done += 1_000) await play(1_000, 0);
  lateness.length = 0;
  for (let second = 0; second < seconds; second++) await play(eventsPerSecond, 1_000 / eventsPerSecond);
  await inbox.stop();
  rmSync(folder, { recursive: true, force: true });
  return percentiles(lateness);
}

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

/** A source that gets its frames by a call. */
function createHandSource(): { readonly source: Source; readonly take: (frame: string) => void } {
  let listener: SourceListener | undefined;
  const source: Source = {
    name: "default",
    open(opened) {
      listener = opened;
      opened.link({ type: "connect" });
      opened.link({ type: "hello" });
    },
    async close() {},
  };
  return { source, take: (frame) => listener?.frame(frame) };
}

function percentiles(values: number[]): Percentiles {
  values.sort((a, b) => a - b);
  const at = (share: number) => values[Math.min(values.length - 1, Math.floor(values.length * share))] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99), p999: at(0.999) };
}
