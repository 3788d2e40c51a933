import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createInbox } from "../../src/index.ts";
import { createTestClock } from "../../src/testing/clock.ts";

/** One run as its sender would send it. */
interface Script {
  readonly session: string;
  readonly pieces: readonly string[];
  /** What deltas carry, and whether the final has text of its own. */
  readonly form: "protocol 4" | "pieces" | "snapshots";
  readonly finalHasText: boolean;
}

const script = fc.record({
  session: fc.constantFrom("agent:main:a", "agent:main:b"),
  pieces: fc.array(fc.stringMatching(/^[a-z]{4,6} ?$/), { minLength: 1, maxLength: 6 }),
  form: fc.constantFrom("protocol 4", "pieces", "snapshots"),
  finalHasText: fc.boolean(),
}) as fc.Arbitrary<Script>;

function eventsOf({ session, pieces, form, finalHasText }: Script, run: number): object[] {
  const base = { runId: `run-${run}`, sessionKey: session };
  let soFar = "";
  const deltas = pieces.map((piece, i) => {
    soFar += piece;
    const deltaText = form !== "snapshots" && { deltaText: piece };
    const message = form !== "pieces" && { message: { content: [{ type: "text", text: soFar }] } };
    return { ...base, seq: i + 1, state: "delta", ...deltaText, ...message };
  });
  // A delta and the final may share one seq.
  const final = { ...base, seq: pieces.length, state: "final", ...(finalHasText && { message: { content: soFar } }) };
  return [...deltas, final];
}

/** Deals the hands out in an order that `picks` decides, each hand in its own order. */
function interleave(hands: object[][], picks: readonly number[]): object[] {
  const left = hands.map((hand) => [...hand]).filter((hand) => hand.length > 0);
  const dealt: object[] = [];
  for (let i = 0; left.length > 0; i++) {
    const at = (picks[i % picks.length] as number) % left.length;
    dealt.push(left[at]?.shift() as object);
    if (left[at]?.length === 0) left.splice(at, 1);
  }
  return dealt;
}

describe("any number of runs in any order", () => {
  it("are handed over once and whole, whatever is repeated", () => {
    fc.assert(
      fc.property(
        fc.array(script, { maxLength: 12 }),
        fc.array(fc.nat(1_000), { minLength: 1, maxLength: 40 }),
        fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 10 }),
        (scripts, picks, repeats) => {
          const inbox = createInbox({ clock: createTestClock() });
          const got = new Map<string, string[]>();
          inbox.messages$.subscribe(({ runId, text }) => got.set(runId, [...(got.get(runId) ?? []), text]));
          const events = interleave(scripts.map(eventsOf), picks);
          for (const [i, event] of events.entries()) {
            for (let n = 0; n < (repeats[i % repeats.length] as number); n++) inbox.handle(event);
          }
          const expected = scripts.map(({ pieces }, run) => [`run-${run}`, [pieces.join("")]] as const);
          expect(Object.fromEntries(got)).toEqual(Object.fromEntries(expected));
          expect(inbox.runs()).toEqual([]);
          expect(inbox.stats()).toMatchObject({ rejected: 0, alreadyTaken: 0, bufferedBytes: 0 });
          return void inbox.stop();
        },
      ),
      { numRuns: 300 },
    );
  });

  it("with one text in one session are separate messages", async () => {
    const inbox = createInbox();
    const ids: string[] = [];
    inbox.messages$.subscribe(({ id }) => ids.push(id));
    for (const runId of ["one", "two"]) {
      inbox.handle({ runId, sessionKey: "k", seq: 1, state: "final", message: { content: "Good morning" } });
    }
    expect(new Set(ids).size).toBe(2);
    await inbox.stop();
  });
});
