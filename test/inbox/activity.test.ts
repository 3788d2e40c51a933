import { describe, expect, it } from "vitest";
import { type Activity, createInbox, type RunProgress } from "../../src/index.ts";
import { createTestClock } from "../../src/testing/clock.ts";

const KEY = "agent:main:collavre:42:creative:100";

function watched() {
  const inbox = createInbox();
  const heard: Activity[] = [];
  const hear = (runId: string, state: string, seq: number, more: object = {}) =>
    inbox.handle({ runId, seq, state, ...more });
  return { inbox, heard, hear, watch: () => inbox.activity$.subscribe((activity) => heard.push(activity)) };
}

/** Of the latest event that a run took. */
function progressOf(heard: readonly Activity[]): RunProgress {
  const progress = heard.findLast((activity) => activity.kind === "event")?.progress;
  if (progress === undefined) throw new Error("No run took the latest event");
  return progress;
}

describe("activity$", () => {
  it("begins with the live runs", () => {
    const { inbox, heard, hear, watch } = watched();
    hear("gone", "aborted", 1);
    hear("a", "delta", 1, { deltaText: "Hel", sessionKey: KEY });
    hear("b", "status", 1);
    watch();
    expect(heard).toMatchObject([
      { kind: "joined", progress: { number: 2, deltas: 1, chars: 3 } },
      { kind: "joined", progress: { number: 3, deltas: 0, chars: 0 } },
    ]);
    const joined = heard.flatMap((activity) => (activity.kind === "joined" ? [activity] : []));
    expect(joined.map(({ run }) => run)).toEqual(inbox.runs());
    expect(joined.map(({ progress }) => progress.live())).toEqual(inbox.runs());
    expect(joined.map(({ progress }) => progress.startedAt)).toEqual(inbox.runs().map(({ startedAt }) => startedAt));
  });

  it("has what each event did with a view of the live run", () => {
    const { heard, hear, watch } = watched();
    watch();
    hear("r", "delta", 1, { deltaText: "Hel" });
    const progress = progressOf(heard);
    expect(progress).toMatchObject({ number: 1, deltas: 1, chars: 3 });
    expect(progress.live()).not.toHaveProperty("sessionKey");
    hear("r", "delta", 1, { deltaText: "Hel" });
    hear("r", "status", 2, { sessionKey: KEY });
    hear("r", "dreaming", 3);
    expect(progressOf(heard.slice(0, -1))).toBe(progress);
    hear("r", "delta", 4, { deltaText: "lo", sessionKey: KEY });
    expect(progress).toMatchObject({ deltas: 2, chars: 5 });
    expect(progress.live()).toMatchObject({ runId: "r", text: "Hello", sessionKey: KEY });
    hear("r", "aborted", 5);
    hear("r", "delta", 6, { deltaText: "!" });
    const effects = heard.map((activity) => activity.kind === "event" && [activity.effect, activity.progress]);
    expect(effects).toEqual([
      ["taken", progress],
      ["duplicate", undefined],
      ["taken", progress],
      ["unknown-state", undefined],
      ["taken", progress],
      ["taken", progress],
      ["after-end", undefined],
    ]);
  });

  it("has every delta of every run for each subscriber", () => {
    const { heard, hear, watch } = watched();
    watch();
    const unwatch = watch();
    for (const seq of [1, 2, 2, 3]) hear("r", "delta", seq, { deltaText: "x" });
    unwatch.unsubscribe();
    hear("s", "delta", 1, { deltaText: "x" });
    const lines = heard.map((activity) =>
      activity.kind === "event" ? `${activity.event.runId} ${activity.event.seq} ${activity.effect}` : "",
    );
    const twice = ["r 1 taken", "r 2 taken", "r 2 duplicate", "r 3 taken"].flatMap((line) => [line, line]);
    expect(lines).toEqual([...twice, "s 1 taken"]);
  });

  it("says when a live run will be given up", () => {
    const clock = createTestClock(5_000);
    const inbox = createInbox({ clock, ttlMs: 60_000 });
    inbox.handle({ runId: "r", seq: 1, state: "delta", deltaText: "Hel" });
    clock.advance(1_000);
    inbox.handle({ runId: "r", seq: 2, state: "delta", deltaText: "lo" });
    expect(inbox.runs()).toMatchObject([{ startedAt: 5_000, expiresAt: 65_000 }]);
    clock.advance(58_999);
    expect(inbox.runs()).toHaveLength(1);
    clock.advance(1);
    expect(inbox.runs()).toHaveLength(0);
  });

  it("says when each event came", () => {
    const clock = createTestClock(5_000);
    const inbox = createInbox({ clock });
    const times: unknown[] = [];
    inbox.activity$.subscribe((activity) => activity.kind === "event" && times.push(activity.at));
    inbox.handle({ runId: "r", seq: 1, state: "delta", deltaText: "Hel" });
    clock.advance(75);
    inbox.handle({ runId: "r", seq: 1, state: "delta", deltaText: "Hel" });
    inbox.handle({ runId: "r", seq: 2, state: "aborted" });
    expect(times).toEqual([5_000, 5_075, 5_075]);
  });

  it("keeps the progress of a settled run without its text", () => {
    const { heard, hear, watch } = watched();
    watch();
    hear("r", "delta", 1, { deltaText: "Hello", sessionKey: KEY });
    const progress = progressOf(heard);
    hear("r", "error", 2);
    expect(progress).toMatchObject({ number: 1, deltas: 1, chars: 5, startedAt: expect.any(Number) });
    expect(progress.live()).toBeUndefined();
  });

  it("counts the delta that showed a run not to be ours", () => {
    const { heard, hear, watch } = watched();
    watch();
    hear("r", "delta", 1, { deltaText: "Hello", sessionKey: KEY });
    hear("r", "delta", 2, { deltaText: "!", spawnedBy: "agent:main:main" });
    expect(progressOf(heard)).toMatchObject({ deltas: 2, chars: 5 });
  });
});
