import { describe, expect, it } from "vitest";
import { type Expectation, expectations, expectedAt } from "./expected.ts";
import { byRun, expectOneHandoverEach, layer, play, stepsWithCut, told, withoutPartialTexts } from "./play.ts";
import { deltaPositions, loadFrames, without } from "./variations.ts";

// A long reply is played some 250 times: seconds on a machine that is busy with other tests.
describe("a connection that is cut and comes back", () => {
  it.each(expectations)("loses nothing between any two frames of $recording", async (expectation: Expectation) => {
    const { recording } = expectation;
    const frames = loadFrames(recording);
    const expected = byRun(expectedAt(layer, expectation));
    for (let position = 0; position <= frames.length; position++) {
      const where = `${recording}, cut before frame ${position + 1} of ${frames.length}`;
      const played = await play(stepsWithCut(frames, position));
      expect(byRun(played.outcomes.map(told)), where).toEqual(expected);
      expectOneHandoverEach(played, where);
    }
  });

  it.each(expectations)("loses no message with a missed delta of $recording", async (expectation: Expectation) => {
    const { recording } = expectation;
    const frames = loadFrames(recording);
    const expected = withoutPartialTexts(byRun(expectedAt(layer, expectation)));
    for (const position of deltaPositions(frames)) {
      const where = `${recording}, cut in place of the delta in frame ${position + 1} of ${frames.length}`;
      const played = await play(stepsWithCut(without(frames, position), position));
      expect(withoutPartialTexts(byRun(played.outcomes.map(told))), where).toEqual(expected);
      expectOneHandoverEach(played, where);
    }
  });
});
