import { describe, expect, it } from "vitest";
import { type Activity, createInbox, type RunProgress } from "../../src/index.ts";

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

describe("activity", () => {
  it("begins with the runs that are live by then", () => {
    const { inbox, heard, hear, watch } = watched();
    hear("gone", "aborted", 1);
    hear("a", "delta", 1, { deltaText: "Hel", sessionKey: KEY });
    hear("b", "status", 1);
    watch();
    expect(heard).toMatchObject([
      { kind: "joined", progress: { number: 2, deltas: 1, chars: 3, text: "Hel", sessionKey: KEY } },
      { kind: "joined", progress: { number: 3, deltas: 0, chars: 0, text: "", sessionKey: undefined } },
    ]);
    expect(heard.map((activity) => activity.kind === "joined" && activity.run)).toEqual(inbox.runs());
  });

  it("tells of each event what it did, with a view of the run that goes on", () => {
    const { heard, hear, watch } = watched();
    watch();
    hear("r", "delta", 1, { deltaText: "Hel" });
    const progress = progressOf(heard);
    expect(progress).toMatchObject({ number: 1, deltas: 1, chars: 3, sessionKey: undefined });
    hear("r", "delta", 1, { deltaText: "Hel" });
    hear("r", "delta", 2, { deltaText: "lo", sessionKey: KEY });
    hear("r", "dreaming", 3);
    expect(progressOf(heard.slice(0, -1))).toBe(progress);
    expect(progress).toMatchObject({ deltas: 2, chars: 5, text: "Hello", sessionKey: KEY });
    hear("r", "aborted", 4);
    hear("r", "delta", 5, { deltaText: "!" });
    const effects = heard.map((activity) => activity.kind === "event" && [activity.effect, activity.progress]);
    expect(effects).toEqual([
      ["taken", progress],
      ["duplicate", undefined],
      ["taken", progress],
      ["unknown-state", undefined],
      ["taken", progress],
      ["after-end", undefined],
    ]);
  });

  it("keeps what a settled run came to, but for its text", () => {
    const { heard, hear, watch } = watched();
    watch();
    hear("r", "delta", 1, { deltaText: "Hello", sessionKey: KEY });
    const progress = progressOf(heard);
    hear("r", "error", 2);
    expect(progress).toMatchObject({ number: 1, deltas: 1, chars: 5, text: "", sessionKey: undefined });
  });

  it("counts the delta by which a run turned out to be none of ours", () => {
    const { heard, hear, watch } = watched();
    watch();
    hear("r", "delta", 1, { deltaText: "Hello", sessionKey: KEY });
    hear("r", "delta", 2, { deltaText: "!", spawnedBy: "agent:main:main" });
    expect(progressOf(heard)).toMatchObject({ deltas: 2, chars: 5 });
  });
});
