import { describe, expect, it } from "vitest";
import { generationNames } from "./expected-generations.ts";
import { play, stepsOf } from "./play.ts";
import { loadFrames, type RecordedFrame } from "./variations.ts";

/** The id and name of the one cron job that a recording tells of. */
function jobOf(frames: readonly RecordedFrame[]): object | undefined {
  for (const { frame } of frames) {
    const { event, payload } = frame as { event?: string; payload?: { job?: { id: string; name: string } } };
    if (event === "cron" && payload?.job !== undefined) return { id: payload.job.id, name: payload.job.name };
  }
  return undefined;
}

describe("the cron job of a recorded message", () => {
  it.each([
    "b-cron-isolated.subscribed",
    "c8-cron-current-session.subscribed",
    ...generationNames().filter((name) => /cron-(isolated|current)/.test(name)),
  ])("is the one that spoke: %s", async (recording) => {
    const frames = loadFrames(recording);
    const { messages } = await play(stepsOf(frames));
    const spoken = messages.filter(({ origin }) => origin === "cron");
    expect(spoken.length).toBeGreaterThan(0);
    for (const { job } of spoken) expect(job).toEqual(jobOf(frames));
  });

  it("is absent where the Gateway tells none", async () => {
    for (const recording of ["a-cron-main.subscribed", "d1-heartbeat-speaks.subscribed", "e-chat-inject.subscribed"]) {
      const { messages } = await play(stepsOf(loadFrames(recording)));
      expect(messages.map(({ job }) => job)).toEqual(messages.map(() => undefined));
    }
  });
});
