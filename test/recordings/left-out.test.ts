import { describe, expect, it } from "vitest";
import { type Expectation, expectations, expectedAt } from "./expected.ts";
import { byRun, expectOneHandoverEach, layer, play, stepsOf, told, withoutPartialTexts } from "./play.ts";
import { deltaPositions, loadFrames, without } from "./variations.ts";

describe("a missed delta", () => {
  it.each(expectations)("changes no message of $recording", async (expectation: Expectation) => {
    const { recording } = expectation;
    const frames = loadFrames(recording);
    const expected = withoutPartialTexts(byRun(expectedAt(layer, expectation)));
    for (const position of deltaPositions(frames)) {
      const where = `${recording}, without the delta in frame ${position + 1} of ${frames.length}`;
      const played = await play(stepsOf(without(frames, position)));
      expect(withoutPartialTexts(byRun(played.outcomes.map(told))), where).toEqual(expected);
      expectOneHandoverEach(played, where);
    }
  });
});
