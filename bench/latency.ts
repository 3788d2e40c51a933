import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInbox, type Source } from "../src/index.ts";
import { deltaHeavy, type Spoken, Traffic } from "./traffic.ts";

/** What to measure in one process. */
export interface LatencyTask {
  readonly eventsPerSecond: number;
  readonly seconds: number;
  readonly ledger: "memory" | "file";
}

/** From a final's arrival to the handler's call, in ms. */
export interface Percentiles {
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
}

/** Each by a clock of its own, in a run of its own. */
export interface Latency {
  readonly wall: Percentiles;
  readonly cpu: Percentiles;
}

type ClockMs = () => number;

/** The CPU time of this process: it stands still while others have the processor. */
const cpuClock: ClockMs = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
};

const LIVE = 100;
// Runs end every 20 deltas here, so that a few seconds hold enough finals for a p99.9.
const STEPS = 20;

export async function measureLatency(task: LatencyTask): Promise<Latency> {
  return { wall: await measureBy(() => performance.now(), task), cpu: await measureBy(cpuClock, task) };
}

/**
 * A final arrives when it is due, whether this process has time for it or not: an event that has to
 * wait for a garbage collection, or for those before it, is late by that much.
 */
async function measureBy(clock: ClockMs, { eventsPerSecond, seconds, ledger }: LatencyTask): Promise<Percentiles> {
  const folder = mkdtempSync(join(tmpdir(), "inbox-bench-"));
  const dueAt = new Map<string, number>();
  const lateness: number[] = [];
  let take = (_: unknown) => {};
  const source: Source = {
    name: "default",
    open(listener) {
      take = listener.frame;
      listener.link({ type: "connect" });
      listener.link({ type: "hello" });
    },
    async close() {},
  };
  const inbox = createInbox({
    source,
    ...(ledger === "file" && { ledger: join(folder, "bench.lmdb") }),
    deliver({ runId, text }) {
      const due = dueAt.get(runId);
      if (due === undefined || text !== kind.text) throw new Error("A message that nobody sent");
      dueAt.delete(runId);
      lateness.push(clock() - due);
    },
  });
  await inbox.start();

  const whole = deltaHeavy();
  const last = whole.frames.at(-1) as readonly [string, string];
  const kind = { ...whole, deltas: STEPS, frames: [...whole.frames.slice(0, STEPS), last] };
  const traffic = new Traffic(kind, LIVE, 3);
  for (const frames of traffic.opening()) for (const frame of frames) take(frame);

  const play = async (count: number) => {
    const spoken = Array.from({ length: count }, () => traffic.one());
    const begin = clock();
    for (let next = 0; next < count; ) {
      const now = clock();
      for (; next < count && begin + (next * 1_000) / eventsPerSecond <= now; next++) {
        const { frame, ends } = spoken[next] as Spoken;
        if (ends !== undefined) dueAt.set(ends, begin + (next * 1_000) / eventsPerSecond);
        take(frame);
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  await play(eventsPerSecond);
  lateness.length = 0;
  for (let second = 0; second < seconds; second++) await play(eventsPerSecond);
  while (dueAt.size > 0) await new Promise((resolve) => setImmediate(resolve));
  await inbox.stop();
  rmSync(folder, { recursive: true, force: true });
  lateness.sort((a, b) => a - b);
  const at = (share: number) =>
    lateness[Math.min(lateness.length - 1, Math.floor(lateness.length * share))] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99), p999: at(0.999) };
}
