import { describe, expect, it } from "vitest";
import { type Expectation, type ExpectedOutcome, expectations, expectedAt } from "./expected.ts";
import { byRun, expectOneHandoverEach, layer, play, stepsOf, told } from "./play.ts";
import { interleaved, loadFrames, seededRandom } from "./variations.ts";

interface Pair {
  readonly seed: number;
  readonly one: Expectation;
  readonly other: Expectation;
}

/** Pairs drawn by a seed, so that a failing one can be named. */
const drawnPairs: readonly Pair[] = Array.from({ length: 40 }, (_, seed) => {
  const random = seededRandom(seed);
  const first = Math.floor(random() * expectations.length);
  const second = (first + 1 + Math.floor(random() * (expectations.length - 1))) % expectations.length;
  return { seed, one: expectations[first] as Expectation, other: expectations[second] as Expectation };
});

/** Recordings of the same runs: what two connections to one Gateway hear of them. */
const siblings: readonly Pair[] = expectations.flatMap((one, seed) =>
  expectations
    .filter(({ recording }) => recording.startsWith(`${one.recording}.`))
    .map((other) => ({ seed, one, other })),
);

/** The outcomes of both, a run that both show counted once. */
function union({ one, other }: Pair): readonly ExpectedOutcome[] {
  const outcomes = [...expectedAt(layer, one), ...expectedAt(layer, other)];
  return byRun([...new Map(outcomes.map((outcome) => [outcome.runId, outcome])).values()]);
}

describe("two recordings at once", () => {
  it("are drawn from many and include two of one Gateway", () => {
    expect(new Set(drawnPairs.flatMap(({ one, other }) => [one.recording, other.recording])).size).toBeGreaterThan(30);
    expect(drawnPairs.every(({ one, other }) => one !== other)).toBe(true);
    expect(siblings.length).toBe(21);
  });

  // Woven, the end of a bound job may come before the copy of its words, which no connection hears in that order.
  it.each([...drawnPairs, ...siblings.filter(({ one }) => one.jobsComeFirst !== true)])(
    "give both messages on one connection: $one.recording, $other.recording ($seed)",
    async (pair) => {
      const where = `${pair.one.recording} with ${pair.other.recording}, seed ${pair.seed}`;
      const frames = interleaved([loadFrames(pair.one.recording), loadFrames(pair.other.recording)], pair.seed);
      const played = await play(stepsOf(frames));
      expect(byRun(played.outcomes.map(told)), where).toEqual(union(pair));
      expectOneHandoverEach(played, where);
    },
  );

  it.each([...drawnPairs, ...siblings])(
    "give both outcomes on two Gateways: $one.recording, $other.recording ($seed)",
    async ({ one, other, seed }) => {
      const where = `${one.recording} beside ${other.recording}, seed ${seed}`;
      const played = await play(
        interleaved([stepsOf(loadFrames(one.recording), "one"), stepsOf(loadFrames(other.recording), "other")], seed),
      );
      const from = (gateway: string): readonly ExpectedOutcome[] =>
        byRun(
          played.outcomes
            .filter(
              (outcome) => (outcome.status === "dispatched" ? outcome.message.gateway : outcome.gateway) === gateway,
            )
            .map(told),
        );
      expect(from("one"), where).toEqual(byRun(expectedAt(layer, one)));
      expect(from("other"), where).toEqual(byRun(expectedAt(layer, other)));
      expect(played.outcomes.length, where).toBe(expectedAt(layer, one).length + expectedAt(layer, other).length);
      expectOneHandoverEach(played, where);
    },
  );
});
