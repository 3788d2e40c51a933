import { describe, expect, it } from "vitest";
import { MAX_DELAY_MS } from "../../src/kit/clock.ts";
import { pause, startTimer } from "../../src/kit/timer.ts";
import { createTestClock } from "../../src/testing/clock.ts";

describe("a timer", () => {
  it("calls once when its time has come", () => {
    const clock = createTestClock();
    const calls: number[] = [];
    startTimer(clock, 10, () => calls.push(clock.now()));
    clock.advance(9);
    expect(calls).toEqual([]);
    clock.advance(100);
    expect(calls).toEqual([10]);
  });

  it("does not call once cancelled and leaves nothing behind", () => {
    const clock = createTestClock();
    const calls: number[] = [];
    const timer = startTimer(clock, 10, () => calls.push(clock.now()));
    timer.cancel();
    timer.cancel();
    expect(clock.pending).toBe(0);
    clock.advance(100);
    expect(calls).toEqual([]);
  });

  it("waits longer than one of Node's timers can", () => {
    const clock = createTestClock();
    const calls: number[] = [];
    startTimer(clock, MAX_DELAY_MS * 2 + 5, () => calls.push(clock.now()));
    const cancelled = startTimer(clock, MAX_DELAY_MS * 2 + 4, () => calls.push(-1));
    clock.advance(MAX_DELAY_MS + 1);
    cancelled.cancel();
    clock.advance(MAX_DELAY_MS);
    expect(calls).toEqual([]);
    clock.advance(10);
    expect(calls).toEqual([MAX_DELAY_MS * 2 + 5]);
    expect(clock.pending).toBe(0);
  });

  it("never calls after Infinity", () => {
    const clock = createTestClock();
    const timer = startTimer(clock, Number.POSITIVE_INFINITY, () => expect.unreachable());
    expect(clock.pending).toBe(0);
    timer.cancel();
  });
});

describe("a pause", () => {
  it("ends when its time has come", async () => {
    const clock = createTestClock();
    const control = new AbortController();
    const paused = pause(clock, 10, control.signal);
    clock.advance(10);
    await paused;
    expect(clock.pending).toBe(0);
  });

  it("ends with its signal", async () => {
    const clock = createTestClock();
    const control = new AbortController();
    const paused = pause(clock, 10, control.signal);
    control.abort();
    await paused;
    await pause(clock, 10, control.signal);
    expect(clock.pending).toBe(0);
  });
});
