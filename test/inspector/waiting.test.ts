import { afterEach, describe, expect, it } from "vitest";
import { createInbox, type Inbox } from "../../src/index.ts";
import { FollowedRuns } from "../../src/inspector/followed-runs.ts";
import { followEnds, Watch } from "../../src/inspector/watch.ts";
import { createTestClock } from "../../src/testing/clock.ts";
import { turn } from "../helpers/turns.ts";

let inbox: Inbox | undefined;

afterEach(() => inbox?.stop({ drainMs: 0 }));

/** An inbox with messages that wait for their second attempt. */
async function openWaiting(count: number) {
  const clock = createTestClock(1_000_000);
  const opened = createInbox({
    clock,
    ordering: "none",
    random: () => 0.5,
    deliver: () => Promise.reject(new Error("no")),
  });
  inbox = opened;
  const runs = new FollowedRuns(false);
  followEnds(opened, clock, runs);
  for (let n = 0; n < count; n += 1) {
    opened.handle({ runId: `waits-${n}`, sessionKey: "s", seq: 1, state: "final", message: { content: "Hello" } });
  }
  while (opened.stats().waiting < count) await turn();
  const watch = (followed = runs) => new Watch(opened, clock, followed).close();
  return { inbox: opened, clock, runs, watch };
}

describe("messages that wait when the page is opened", () => {
  it("push no run out that ended later", async () => {
    const { inbox, runs, watch } = await openWaiting(1_500);
    inbox.handle({ runId: "errs", sessionKey: "s", seq: 1, state: "error", errorMessage: "no" });
    const oldest = () => runs.foundSettled({ words: "waits-501", outcome: "", origin: "" }).rows;
    const [before] = oldest();
    watch();
    expect(runs.settledRows()).toMatchObject({ total: 1_000, rows: { 0: { runId: "errs" } } });
    expect(oldest()).toMatchObject([{ number: before?.number }]);
  });

  it("are listed before the runs that ended later, with the time of their end", async () => {
    const { inbox, clock, watch } = await openWaiting(1);
    const later = new FollowedRuns(false);
    followEnds(inbox, clock, later);
    clock.advance(100);
    inbox.handle({ runId: "errs", sessionKey: "s", seq: 1, state: "error", errorMessage: "no" });
    watch(later);
    expect(later.settledRows().rows).toMatchObject([
      { runId: "errs", settledAt: 1_000_100 },
      { runId: "waits-0", settledAt: 1_000_000, delivery: "waiting", attempts: 1 },
    ]);
  });

  it("have one failed attempt in their timelines however often it is opened", async () => {
    const { runs, watch } = await openWaiting(1);
    watch();
    watch();
    const entries = runs.details(runs.settledRows().rows[0]?.number ?? 0, 1_000_000)?.entries ?? [];
    expect(entries.map(({ what }) => what.kind)).toEqual(["settled", "retry"]);
  });
});
