import { describe, expect, it } from "vitest";
import { type Expectation, expectations, expectedAt, neverCounted } from "./expected.ts";
import {
  byRun,
  expectOneHandoverEach,
  layer,
  messagesOf,
  type Played,
  play,
  playByHand,
  stepsOf,
  told,
} from "./play.ts";
import {
  everyFrameTwice,
  isChat,
  loadFrames,
  type RecordedFrame,
  shuffledByRun,
  withoutDeltaMessages,
  withoutDeltaTexts,
} from "./variations.ts";

const seeds = [1, 2, 3, 4, 5];

/** The ids of the messages, by run: a message must have the same one however it came. */
const idsOf = ({ messages }: Played): Readonly<Record<string, string>> =>
  Object.fromEntries(messages.map(({ runId, id }) => [runId, id]));

describe.each(expectations)("$recording", (expectation: Expectation) => {
  const { recording } = expectation;
  const frames = loadFrames(recording);
  const chatEvents = frames.filter((frame) => isChat(frame)).length;
  const expected = expectedAt(layer, expectation);

  async function expectSame(changed: readonly RecordedFrame[], where: string): Promise<Played> {
    const played = await play(stepsOf(changed));
    expect(byRun(played.outcomes.map(told)), `${recording}, ${where}`).toEqual(byRun(expected));
    expectOneHandoverEach(played, `${recording}, ${where}`);
    expect(idsOf(played), `${recording}, ${where}`).toEqual(idsOf(await play(stepsOf(frames))));
    return played;
  }

  it.each([false, true])("gives the expected outcomes in order (at the recorded pace: %s)", async (recordedPace) => {
    const played = await play(stepsOf(frames), { recordedPace });
    const outcomes = played.outcomes.map(told);
    expect(byRun(outcomes)).toEqual(byRun(expected));
    expect(messagesOf(outcomes)).toEqual(messagesOf(expected));
    expectOneHandoverEach(played, recording);
    expect(played.stats).toMatchObject({ ...neverCounted, frames: frames.length });
  });

  it("counts every chat event and every run once", async () => {
    const live = expectedAt("live", expectation);
    const count = (status: string): number => live.filter((outcome) => outcome.status === status).length;
    const { stats } = await playByHand(frames);
    expect(stats).toMatchObject({
      ...neverCounted,
      events: chatEvents,
      started: live.length,
      ...(expectation.afterEnd !== "open" && { afterEnd: expectation.afterEnd ?? 0 }),
      dispatched: count("dispatched"),
      delivered: count("dispatched"),
      discarded: count("discarded"),
      errored: count("errored"),
      aborted: count("aborted"),
      expired: count("expired"),
    });
  });

  it("gives the same messages when fed by hand", async () => {
    const { outcomes } = await playByHand(frames);
    expect(byRun(outcomes.map(told))).toEqual(byRun(expectation.byHand ?? expectedAt("live", expectation)));
  });

  it("gives the same outcomes when every frame comes twice", async () => {
    const { stats } = await expectSame(everyFrameTwice(frames), "every frame twice");
    expect(stats.duplicates).toBe(chatEvents);
  });

  it("gives the same outcomes when it is played twice", async () => {
    const { stats } = await expectSame([...frames, ...frames], "played twice over");
    expect(stats.duplicates).toBe(chatEvents);
  });

  it("gives the same outcomes without the `message` of deltas", async () => {
    await expectSame(withoutDeltaMessages(frames), "deltas without message");
  });

  it("gives the same outcomes without the `deltaText` of deltas", async () => {
    await expectSame(withoutDeltaTexts(frames), "deltas without deltaText");
  });

  it.each(expectation.jobsComeFirst ? [] : seeds)(
    "gives the same outcomes when its runs are shuffled (seed %i)",
    async (seed) => {
      await expectSame(shuffledByRun(frames, seed), `shuffled with seed ${seed}`);
    },
  );
});
