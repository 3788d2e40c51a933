import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Journal } from "../../src/inspector/journal.ts";
import type { ChatEvent } from "../../src/types.ts";

const delta = (seq: number): ChatEvent => ({ runId: "r", state: "delta", seq });

describe("the journal of all runs", () => {
  it("tells each run its own entries, with all that an event was", () => {
    const journal = new Journal(10);
    journal.addEvent(1, 1_000, delta(0), "taken", 3, 3);
    journal.addEvent(2, 1_001, delta(1), "taken", 8, 8);
    journal.addEvent(1, 1_020, { ...delta(2), replace: true, recovered: true }, "taken", 2, -1, "ab");
    journal.addEvent(1, 1_030, { runId: "r", state: "status" }, "duplicate", -1, 0);
    journal.addEvent(1, 1_040, { runId: "r", state: "dreaming", seq: 4 }, "unknown-state", -1, 0);
    journal.add(1, 1_050, { kind: "attempt", attempt: 1 });
    expect(journal.timelineOf(1, 1_000, 5)).toEqual({
      entries: [
        { afterMs: 0, what: { kind: "event", state: "delta", effect: "taken", seq: 0, chars: 3, gained: 3 } },
        {
          afterMs: 20,
          what: {
            kind: "event",
            state: "delta",
            effect: "taken",
            seq: 2,
            chars: 2,
            gained: -1,
            replaced: true,
            recovered: true,
            text: "ab",
          },
        },
        { afterMs: 30, what: { kind: "event", state: "status", effect: "duplicate" } },
        { afterMs: 40, what: { kind: "event", state: "dreaming", effect: "unknown-state", seq: 4 } },
        { afterMs: 50, what: { kind: "attempt", attempt: 1 } },
      ],
      dropped: 0,
      droppedAfter: 4,
    });
  });

  it("tells a sequence number of any size, and none where there was none", () => {
    const journal = new Journal(3);
    for (const seq of [2 ** 40, -1]) journal.addEvent(1, 0, delta(seq), "taken", 3, 3);
    journal.addEvent(1, 0, { runId: "r", state: "delta" }, "taken", 3, 3);
    const { entries } = journal.timelineOf(1, 0, 3);
    expect(entries.map(({ what }) => (what.kind === "event" ? what.seq : "other"))).toEqual([2 ** 40, -1, undefined]);
  });

  it("keeps the latest entries of all runs together, and says how many it let go", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20 }),
        fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 60 }),
        (size, runs) => {
          const journal = new Journal(size);
          for (const [seq, run] of runs.entries()) journal.addEvent(run, seq, delta(seq), "taken", seq, 1);
          for (const run of [1, 2, 3, 4]) {
            const all = [...runs.keys()].filter((seq) => runs[seq] === run);
            const kept = all.filter((seq) => seq >= runs.length - size);
            const { entries, dropped, droppedAfter } = journal.timelineOf(run, 0, all.length);
            expect(entries.map(({ afterMs }) => afterMs)).toEqual(kept);
            expect(dropped).toBe(all.length - kept.length);
            if (dropped > 0) expect(droppedAfter).toBe(0);
          }
        },
      ),
    );
  });

  it("tells the first four and the latest of a long run, and only the latest once the first are overwritten", () => {
    const journal = new Journal(1_000);
    for (let seq = 1; seq <= 1_000; seq += 1) journal.addEvent(1, seq, delta(seq), "taken", seq, 1);
    const whole = journal.timelineOf(1, 0, 1_000);
    expect(whole.entries.map(({ afterMs }) => afterMs).slice(3, 5)).toEqual([4, 805]);
    expect(whole).toMatchObject({ dropped: 800, droppedAfter: 4 });
    journal.addEvent(1, 1_001, delta(1_001), "taken", 1, 1);
    const cut = journal.timelineOf(1, 0, 1_001);
    expect(cut.entries.map(({ afterMs }) => afterMs)).toEqual(Array.from({ length: 200 }, (_, index) => 802 + index));
    expect(cut).toMatchObject({ dropped: 801, droppedAfter: 0 });
  });
});
