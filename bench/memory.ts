import { createActor, setup } from "xstate";
import { systemClock } from "../src/kit/clock.ts";
import { defaults } from "../src/options.ts";
import { createOurs } from "./ours.ts";
import { checkMessages } from "./rival.ts";
import { deltaHeavy, Traffic } from "./traffic.ts";

/** What to measure in one process. */
export interface MemoryTask {
  readonly rival: "ours" | "bare";
  readonly live: number;
}

/** In bytes. */
export interface Memory {
  /** Per live run, without its text, while the keys of its events are remembered. */
  readonly perRun: number;
  /** The same when the keys are forgotten: a run that has not spoken for `dedupWindowMs`. */
  readonly perQuietRun: number;
  /** What remains of each run after all have ended and every window is over. */
  readonly leftPerRun: number;
}

/** Heap and array buffers in use after a full collection. */
function used(): number {
  for (let i = 0; i < 3; i++) globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

type Ours = ReturnType<typeof createOurs>;

export async function measureMemory({ rival, live }: MemoryTask): Promise<Memory> {
  if (globalThis.gc === undefined) throw new Error("Measuring memory needs node --expose-gc");
  return rival === "ours" ? ofOurs(live) : ofBare(live);
}

/** The simplest root actor: one state, one `after`, and its run's id in the context. */
function ofBare(live: number): Memory {
  const { createMachine } = setup({
    types: { context: {} as { readonly runId: string }, input: {} as { readonly runId: string } },
    delays: { ttl: 1_800_000 },
  });
  const machine = createMachine({
    initial: "waiting",
    context: ({ input }) => ({ runId: input.runId }),
    states: { waiting: { after: { ttl: "over" } }, over: { type: "final" } },
  });
  const before = used();
  const actors = new Map<string, unknown>();
  for (let i = 0; i < live; i++) {
    const runId = JSON.parse(`"5ad1c2f0-9c3e-4d17-8a52-${String(i).padStart(12, "0")}"`) as string;
    actors.set(runId, createActor(machine, { clock: systemClock, input: { runId } }).start());
  }
  const perRun = (used() - before) / actors.size;
  return { perRun, perQuietRun: perRun, leftPerRun: Number.NaN };
}

/** The system's clock, but it can be moved forward, so that the bench need not wait for windows. */
function createForwardClock() {
  let aheadMs = 0;
  return {
    ...systemClock,
    now: () => Date.now() + aheadMs,
    forward(ms: number) {
      aheadMs += ms;
    },
  };
}

function ofOurs(live: number): Memory {
  const clock = createForwardClock();
  const kind = deltaHeavy();
  const ours = createOurs({ clock });
  warmUp(ours);
  const traffic = new Traffic(kind, live, 7);
  const before = used();
  open(ours, traffic);
  const textBytes = bytesOfTexts(ours);
  const perRun = (used() - before - textBytes) / live;
  clock.forward(defaults.dedupWindowMs);
  warmUp(ours);
  const perQuietRun = (used() - before - textBytes) / live;

  finishAll(ours);
  clock.forward(defaults.settledWindowMs);
  warmUp(ours);
  const leftPerRun = (used() - before) / live;
  void ours.close();
  return { perRun, perQuietRun, leftPerRun };
}

// In separate functions, because a function's registers keep its last objects from being collected.

function open(ours: Ours, traffic: Traffic): void {
  for (const frames of traffic.opening()) for (const frame of frames) ours.take(frame);
}

/** The size of texts at one byte per character, with their headers. */
function bytesOfTexts({ supervisor }: Ours): number {
  return supervisor.live().reduce((sum, { text }) => sum + text.length + 16, 0);
}

function finishAll(ours: Ours): void {
  const kind = deltaHeavy();
  const ids = ours.supervisor.live().map(({ runId }) => runId);
  const final = kind.frames.at(-1) ?? ["", ""];
  for (const runId of ids) ours.take(final.join(runId));
  checkMessages(ours.messages(), ids, kind.text);
}

/** One run from beginning to end: code is compiled, and expired entries are removed. */
function warmUp(ours: Ours): void {
  const kind = deltaHeavy();
  const runId = `warm-up-${performance.now()}`;
  for (const frame of kind.frames) ours.take(frame.join(runId));
  checkMessages(ours.messages(), [runId], kind.text);
}
