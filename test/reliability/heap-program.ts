import { createInbox } from "../../src/index.ts";
import { createTestClock } from "../../src/testing/clock.ts";

/** Begins 100,000 runs that never end, lets time pass, and says how much heap is in use: before, in the middle, after. */
const RUNS = 100_000;
const ROUND = 10_000;
const TTL_MS = 1_800_000;
const clock = createTestClock(1_700_000_000_000);
const inbox = createInbox({ clock });
let expired = 0;
inbox.outcomes$.subscribe(({ status }) => {
  if (status === "expired") expired += 1;
});

function begin(from: number, to: number): void {
  for (let run = from; run < to; run += 1) {
    inbox.handle({
      runId: `run-${run}`,
      sessionKey: `agent:main:${run % 100}`,
      seq: 1,
      state: "delta",
      deltaText: `Words of run ${run} that will never be finished, though they go on for a while.`,
    });
  }
}

function heapBytes(): number {
  for (let times = 0; times < 2; times += 1) globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

// The code is compiled and the maps have grown once, so that only what is kept counts.
begin(0, ROUND);
clock.advance(2 * TTL_MS);
const before = heapBytes();
begin(ROUND, ROUND + RUNS);
const during = heapBytes();
const live = inbox.stats().liveRuns;
clock.advance(2 * TTL_MS);
const after = heapBytes();
console.log(JSON.stringify({ before, during, after, live, expired, bufferedBytes: inbox.stats().bufferedBytes }));
await inbox.stop();
