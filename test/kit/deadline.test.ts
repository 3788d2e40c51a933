import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { deadline, orAborted, within } from "../../src/kit/deadline.ts";
import { createTestClock } from "../../src/testing/clock.ts";

const listeners = (signal: AbortSignal) => getEventListeners(signal, "abort").length;

describe("a deadline", () => {
  it("aborts when the time is up", () => {
    const clock = createTestClock();
    const outer = new AbortController();
    const { signal } = deadline({ clock, ms: 10, reason: () => "late", signal: outer.signal });
    clock.advance(9);
    expect(signal.aborted).toBe(false);
    clock.advance(1);
    expect(signal.reason).toBe("late");
    expect(listeners(outer.signal)).toBe(0);
  });

  it("aborts with the outer signal", () => {
    const clock = createTestClock();
    const outer = new AbortController();
    const { signal } = deadline({ clock, ms: 10, reason: () => "late", signal: outer.signal });
    outer.abort("stopped");
    expect(signal.reason).toBe("stopped");
    expect(clock.pending).toBe(0);
    expect(deadline({ clock, ms: 10, reason: () => "late", signal: outer.signal }).signal.reason).toBe("stopped");
    expect(clock.pending).toBe(0);
  });

  it("removes its timer and listeners when released", () => {
    const clock = createTestClock();
    const outer = new AbortController();
    const { signal, release } = deadline({ clock, ms: 10, reason: () => "late", signal: outer.signal });
    release();
    clock.advance(100);
    outer.abort();
    expect(signal.aborted).toBe(false);
    expect(clock.pending).toBe(0);
  });
});

describe("work that may be aborted", () => {
  it("settles as the work does", async () => {
    const { signal } = new AbortController();
    expect(await orAborted(Promise.resolve(1), signal)).toBe(1);
    await expect(orAborted(Promise.reject(new Error("no")), signal)).rejects.toThrow("no");
    await new Promise(setImmediate);
    expect(listeners(signal)).toBe(0);
  });

  it("ends with the signal when the work ignores it", async () => {
    const control = new AbortController();
    const work = Promise.withResolvers<void>();
    const result = orAborted(work.promise, control.signal);
    control.abort(new Error("stopped"));
    await expect(result).rejects.toThrow("stopped");
    work.reject(new Error("nobody hears this"));
    await expect(orAborted(new Promise(() => {}), control.signal)).rejects.toThrow("stopped");
  });
});

describe("a wait for work", () => {
  it("says that the work was done in time", async () => {
    const clock = createTestClock();
    expect(await within(clock, 10, Promise.resolve())).toBe(true);
    expect(clock.pending).toBe(0);
  });

  it("says that the work was not done in time", async () => {
    const clock = createTestClock();
    const done = within(clock, 10, new Promise(() => {}));
    clock.advance(10);
    expect(await done).toBe(false);
  });

  it("passes a rejection on", async () => {
    const clock = createTestClock();
    await expect(within(clock, 10, Promise.reject(new Error("no")))).rejects.toThrow("no");
    expect(clock.pending).toBe(0);
  });
});
