import { describe, expect, it } from "vitest";
import { recordingNames } from "../../src/testing/recordings.ts";
import {
  deltaPositions,
  everyFrameTwice,
  frameText,
  interleaved,
  isChat,
  loadFrames,
  runOf,
  seededRandom,
  shuffledByRun,
  without,
  withoutDeltaMessages,
  withoutDeltaTexts,
} from "./variations.ts";

const tenAtOnce = loadFrames("k2-ten-at-once");
const longReply = loadFrames("f-long-reply");

describe("the variations", () => {
  it("read every recording in the folder", () => {
    expect(recordingNames().length).toBe(47);
    for (const name of recordingNames()) expect(loadFrames(name).length, name).toBeGreaterThan(5);
  });

  it("repeat every frame", () => {
    const twice = everyFrameTwice(tenAtOnce);
    expect(twice.length).toBe(2 * tenAtOnce.length);
    expect(twice.filter((_, index) => index % 2 === 1)).toEqual(tenAtOnce);
  });

  it("leave out exactly one delta", () => {
    const positions = deltaPositions(longReply);
    expect(positions.length).toBe(110);
    for (const position of positions) {
      const rest = without(longReply, position);
      expect(rest.length).toBe(longReply.length - 1);
      expect(rest).not.toContain(longReply[position]);
    }
  });

  it.each([
    ["message", "deltaText", withoutDeltaMessages],
    ["deltaText", "message", withoutDeltaTexts],
  ] as const)("remove %s from deltas only", (removed, kept, vary) => {
    const changed = vary(tenAtOnce);
    const deltas = changed.filter((frame) => isChat(frame, "delta"));
    expect(deltas.every(({ frame }) => frame.payload?.[removed] === undefined)).toBe(true);
    expect(deltas.every(({ frame }) => frame.payload?.[kept] !== undefined)).toBe(true);
    expect(changed.filter((frame) => !isChat(frame, "delta"))).toEqual(
      tenAtOnce.filter((frame) => !isChat(frame, "delta")),
    );
  });

  it("shuffle runs and keep the order within each", () => {
    const shuffled = shuffledByRun(tenAtOnce, 1);
    expect(shuffled).not.toEqual(tenAtOnce);
    expect(new Set(shuffled)).toEqual(new Set(tenAtOnce));
    for (const runId of new Set(tenAtOnce.map(runOf))) {
      expect(shuffled.filter((frame) => runOf(frame) === runId)).toEqual(
        tenAtOnce.filter((frame) => runOf(frame) === runId),
      );
    }
  });

  it("interleave lists by a seed and keep the order within each", () => {
    const lists = [[1, 2, 3, 4], [], [10, 20, 30, 40]];
    const woven = interleaved(lists, 7);
    expect(woven.filter((n) => n < 10)).toEqual([1, 2, 3, 4]);
    expect(woven.filter((n) => n >= 10)).toEqual([10, 20, 30, 40]);
    expect(interleaved(lists, 7)).toEqual(woven);
    expect(new Set([1, 2, 3, 4, 5, 6].map((seed) => interleaved(lists, seed).join())).size).toBeGreaterThan(3);
  });

  it("draw numbers from all of [0, 1)", () => {
    const random = seededRandom(1);
    const drawn = Array.from({ length: 1_000 }, random);
    expect(drawn.every((n) => n >= 0 && n < 1)).toBe(true);
    expect(drawn.reduce((sum, n) => sum + n, 0) / drawn.length).toBeCloseTo(0.5, 1);
  });

  it("leave the recording unchanged", () => {
    const before = tenAtOnce.map(frameText);
    withoutDeltaMessages(tenAtOnce);
    withoutDeltaTexts(tenAtOnce);
    without(tenAtOnce, 3);
    expect(tenAtOnce.map(({ frame }) => JSON.stringify(frame))).toEqual(before);
  });
});
