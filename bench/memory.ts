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
  /** Per live run above its text, while the keys of its events are remembered. */
  readonly perRun: number;
  /** The same, once they are forgotten: what a run costs that has not spoken for `dedupWindowMs`. */
  readonly perQuietRun: number;
  /** What is left of each run after all were finished and every window has passed. */
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

/** The plainest of root actors: one state, one `after`, and the id of its run in the context. */
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

/** The system's clock, which can be put forward: nothing waits in this bench for windows to pass. */
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

// Each in a function of its own: a function's registers keep what it worked on last from being collected.

function open(ours: Ours, traffic: Traffic): void {
  for (const frames of traffic.opening()) for (const frame of frames) ours.take(frame);
}

/** Texts of one byte a character, with their headers. */
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

/** One run from beginning to end: code is compiled, and what has aged is forgotten. */
function warmUp(ours: Ours): void {
  const kind = deltaHeavy();
  const runId = `warm-up-${performance.now()}`;
  for (const frame of kind.frames) ours.take(frame.join(runId));
  checkMessages(ours.messages(), [runId], kind.text);
}
