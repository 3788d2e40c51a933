import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Journal } from "../../src/inspector/journal.ts";
import type { ChatEvent, RunProgress } from "../../src/types.ts";

const delta = (seq: number): ChatEvent => ({ runId: "r", state: "delta", seq });
const progress = (number: number, chars: number): RunProgress => ({
  number,
  startedAt: 0,
  chars,
  deltas: 0,
  live: () => undefined,
});

describe("the journal of all runs", () => {
  it("gives each run its own entries with what each event did", () => {
    const journal = new Journal(10, true);
    journal.addJoined(progress(7, 1), 990);
    journal.delta(progress(7, 3), delta(0), 1_000);
    journal.delta(progress(8, 8), delta(1), 1_001);
    journal.delta(progress(7, 2), { ...delta(2), replace: true, recovered: true, deltaText: "ab" }, 1_020);
    journal.addEvent(7, 1_030, { runId: "r", state: "status" }, "duplicate");
    journal.addEvent(7, 1_040, { runId: "r", state: "dreaming", seq: 4 }, "unknown-state");
    journal.addEvent(7, 1_045, { runId: "r", state: "final", seq: 5 }, "taken", 6);
    journal.add(7, 1_050, { kind: "attempt", attempt: 1 });
    const event = { kind: "event", effect: "taken" };
    expect(journal.timelineOf(7, 1_000, 7)).toEqual({
      entries: [
        { afterMs: -10, what: { kind: "joined", chars: 1 } },
        { afterMs: 0, what: { ...event, state: "delta", seq: 0, chars: 3, gained: 2 } },
        {
          afterMs: 20,
          what: { ...event, state: "delta", seq: 2, chars: 2, gained: -1, replaced: true, recovered: true, text: "ab" },
        },
        { afterMs: 30, what: { kind: "event", state: "status", effect: "duplicate" } },
        { afterMs: 40, what: { kind: "event", state: "dreaming", effect: "unknown-state", seq: 4 } },
        { afterMs: 45, what: { ...event, state: "final", seq: 5, chars: 6, gained: 4 } },
        { afterMs: 50, what: { kind: "attempt", attempt: 1 } },
      ],
      dropped: 0,
      droppedAfter: 4,
    });
  });

  it("has a sequence number of any size or none", () => {
    const journal = new Journal(4, false);
    for (const seq of [2 ** 40, -1]) journal.delta(progress(1, 3), delta(seq), 0);
    journal.delta(progress(1, 4), { runId: "r", state: "delta" }, 0);
    const { entries } = journal.timelineOf(1, 0, 3);
    expect(entries.map(({ what }) => (what.kind === "event" ? [what.seq, what.gained] : "other"))).toEqual([
      [2 ** 40, 3],
      [-1, 0],
      [undefined, 1],
    ]);
  });

  it("keeps the latest entries of all runs and counts the others", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20 }),
        fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 60 }),
        (size, runs) => {
          const journal = new Journal(size, false);
          for (const [seq, run] of runs.entries()) journal.delta(progress(run, seq), delta(seq), seq);
          for (const run of [1, 2, 3, 4]) {
            const all = [...runs.keys()].filter((seq) => runs[seq] === run);
            const kept = all.filter((seq) => seq >= runs.length - size);
            const { entries, dropped, droppedAfter } = journal.timelineOf(run, 0, all.length);
            expect(entries.map(({ afterMs }) => afterMs)).toEqual(kept);
            expect(dropped).toBe(all.length - kept.length);
            if (dropped === 0) continue;
            expect(droppedAfter).toBe(0);
            // Of the first that is left, nobody knows what the text was before.
            const gained = entries.map(({ what }) => (what.kind === "event" ? what.gained : "other"));
            expect(gained).toEqual(kept.map((seq, i) => (i === 0 ? undefined : seq - (kept[i - 1] ?? 0))));
          }
        },
      ),
    );
  });

  it("gives each entry its own values, never its predecessor's", () => {
    const entry = fc.constantFrom("delta", "silent", "final", "dreaming", "attempt");
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.array(entry, { maxLength: 30 }), (size, entries) => {
        const journal = new Journal(size, true);
        for (const [at, kind] of entries.entries()) {
          const deltaText = `text ${at}`;
          if (kind === "delta") journal.delta(progress(7, at), { ...delta(at), deltaText }, at);
          else if (kind === "silent") journal.delta(progress(7, at), delta(at), at);
          else if (kind === "attempt") journal.add(7, at, { kind: "attempt", attempt: at });
          else journal.addEvent(7, at, { runId: "r", state: kind, seq: at, deltaText }, "taken");
        }
        const told = journal.timelineOf(7, 0, entries.length).entries.map(({ afterMs, what }) => {
          if (what.kind === "attempt") return [afterMs, "attempt", what.attempt];
          return what.kind === "event" ? [afterMs, what.state, what.seq, what.text] : "another";
        });
        const expected = entries.map((kind, at) => {
          if (kind === "attempt") return [at, kind, at];
          if (kind === "dreaming") return [at, kind, at, undefined];
          return [at, kind === "silent" ? "delta" : kind, at, kind === "silent" ? undefined : `text ${at}`];
        });
        expect(told).toEqual(expected.slice(-size));
      }),
    );
  });

  it("gives the first four and the latest entries of a long run", () => {
    const journal = new Journal(1_000, false);
    for (let seq = 1; seq <= 1_000; seq += 1) journal.delta(progress(1, 2 * seq), delta(seq), seq);
    const whole = journal.timelineOf(1, 0, 1_000);
    expect(whole.entries.map(({ afterMs }) => afterMs).slice(3, 5)).toEqual([4, 805]);
    expect(whole.entries[4]?.what).toMatchObject({ chars: 1_610, gained: 2 });
    expect(whole).toMatchObject({ dropped: 800, droppedAfter: 4 });
    journal.delta(progress(1, 1), delta(1_001), 1_001);
    const cut = journal.timelineOf(1, 0, 1_001);
    expect(cut.entries.map(({ afterMs }) => afterMs)).toEqual(Array.from({ length: 200 }, (_, index) => 802 + index));
    expect(cut).toMatchObject({ dropped: 801, droppedAfter: 0 });
  });
});
