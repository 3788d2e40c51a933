import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createInbox, type Inbox } from "../../src/index.ts";
import { FollowedRuns } from "../../src/inspector/followed-runs.ts";
import { followEnds, Watch } from "../../src/inspector/watch.ts";
import type { RunDetails } from "../../src/inspector/wire.ts";
import { createTestClock } from "../../src/testing/clock.ts";
import { turn } from "../helpers/turns.ts";

const KEY = "agent:main:collavre:42:creative:100";

const step = fc.record({
  runId: fc.constantFrom("a", "b", "c"),
  state: fc.oneof(
    { weight: 8, arbitrary: fc.constant("delta") },
    fc.constantFrom("final", "error", "aborted", "status", "dreaming"),
  ),
  seq: fc.integer({ min: 1, max: 12 }),
  text: fc.string({ maxLength: 8 }),
  inFull: fc.boolean(),
  pauseMs: fc.constantFrom(0, 0, 10, 70_000),
});

/** What a plain list for each run would hold, from what the inbox tells. */
function listsOf(inbox: Inbox): Map<string, string[]> {
  const lists = new Map<string, string[]>();
  const before = new Map<string, number>();
  const note = (runId: string, line: string) => lists.set(runId, [...(lists.get(runId) ?? []), line]);
  const grown = (runId: string, chars: number) => {
    const gained = chars - (before.get(runId) ?? 0);
    before.set(runId, chars);
    return `${chars} by ${gained}`;
  };
  inbox.activity$.subscribe((activity) => {
    if (activity.kind === "joined") {
      const { runId, text } = activity.run;
      before.set(runId, text.length);
      note(runId, `joined ${text.length}`);
    }
    if (activity.kind !== "event") return;
    const { effect, progress, event } = activity;
    const { runId, state, seq, messageText = "" } = event;
    const line = `${state} ${seq} ${effect}`;
    // Of a run that nobody has begun to follow there is nothing to tell.
    if (progress === undefined && !lists.has(runId)) return;
    if (progress === undefined || (state !== "delta" && state !== "final")) return void note(runId, line);
    const chars = state === "final" && messageText.trim() !== "" ? messageText.length : progress.chars;
    note(runId, `${line} ${grown(runId, chars)}`);
  });
  inbox.outcomes$.subscribe((outcome) => {
    note(outcome.status === "dispatched" ? outcome.message.runId : outcome.runId, outcome.status);
  });
  return lists;
}

/** The same as the inspector has it. */
function timelinesOf(watch: Watch, runs: FollowedRuns, now: number): Map<string, string[]> {
  const { live, settled } = watch.updateFor(watch.shared(), { live: 0, settled: 0, samples: 0 });
  const rows = [...(live?.rows ?? []), ...(settled?.rows ?? [])];
  return new Map(
    rows.map(({ number, runId }) => {
      const { entries, dropped } = runs.details(number, now) as RunDetails;
      expect(dropped).toBe(0);
      const lines = entries.flatMap(({ what }) => {
        if (what.kind === "joined") return `joined ${what.chars}`;
        if (what.kind === "settled") return what.status;
        if (what.kind !== "event") return [];
        const grown = what.chars === undefined ? "" : ` ${what.chars} by ${what.gained}`;
        return `${what.state} ${what.seq} ${what.effect}${grown}`;
      });
      return [runId, lines];
    }),
  );
}

describe("the timelines of many runs", () => {
  it("equal a list for each run, for any events and viewers", async () => {
    const property = fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.nat(20), async (steps, unseen) => {
      const clock = createTestClock(1_000_000);
      const inbox = createInbox({ clock, ttlMs: 60_000, settledWindowMs: 86_400_000, dedupWindowMs: 1_000 });
      let lists = new Map<string, string[]>();
      let watch: Watch | undefined;
      const runs = new FollowedRuns(false);
      for (const [index, { runId, state, seq, text, inFull, pauseMs }] of steps.entries()) {
        if (index === unseen) {
          lists = listsOf(inbox);
          followEnds(inbox, clock, runs);
          watch = new Watch(inbox, clock, runs);
        }
        const said = inFull
          ? { message: { role: "assistant", content: [{ type: "text", text }] } }
          : { deltaText: text };
        inbox.handle({ runId, sessionKey: KEY, seq, state, ...said });
        await turn();
        clock.advance(pauseMs);
      }
      if (watch !== undefined) expect(timelinesOf(watch, runs, clock.now())).toEqual(lists);
      watch?.close();
      await inbox.stop();
    });
    await fc.assert(property, { numRuns: 200 });
  });
});
