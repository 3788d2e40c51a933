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

/**
 * Gives the runs of the second Gateway ids of their own where both play one bound job. The ledger remembers a relocated run
 * by its id, whatever the Gateway.
 */
function otherIds({ one, other }: Pair): <T>(value: T) => T {
  if (one.jobsComeFirst !== true || !other.recording.startsWith(one.recording)) return (value) => value;
  const ids = expectedAt(layer, one).map(({ runId }) => runId);
  return (value) => JSON.parse(ids.reduce((text, id) => text.replaceAll(id, `other-${id}`), JSON.stringify(value)));
}

describe("two recordings at once", () => {
  it("are drawn from many and include two of one Gateway", () => {
    expect(new Set(drawnPairs.flatMap(({ one, other }) => [one.recording, other.recording])).size).toBeGreaterThan(30);
    expect(drawnPairs.every(({ one, other }) => one !== other)).toBe(true);
    expect(siblings.length).toBe(21);
  });

  it.each([...drawnPairs, ...siblings])(
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
    async (pair) => {
      const { one, other, seed } = pair;
      const where = `${one.recording} beside ${other.recording}, seed ${seed}`;
      const rename = otherIds(pair);
      const frames = [stepsOf(loadFrames(one.recording), "one"), stepsOf(rename(loadFrames(other.recording)), "other")];
      const played = await play(interleaved(frames, seed));
      const from = (gateway: string): readonly ExpectedOutcome[] =>
        byRun(
          played.outcomes
            .filter(
              (outcome) => (outcome.status === "dispatched" ? outcome.message.gateway : outcome.gateway) === gateway,
            )
            .map(told),
        );
      expect(from("one"), where).toEqual(byRun(expectedAt(layer, one)));
      expect(from("other"), where).toEqual(byRun(rename(expectedAt(layer, other))));
      expect(played.outcomes.length, where).toBe(expectedAt(layer, one).length + expectedAt(layer, other).length);
      expectOneHandoverEach(played, where);
    },
  );
});
