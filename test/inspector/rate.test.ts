import { describe, expect, it } from "vitest";
import { Rate } from "../../src/inspector/rate.ts";

describe("a rate", () => {
  it("is how often it happens per second, once it has gone on for a while", () => {
    const rate = new Rate();
    for (let now = 10_000; now < 20_000; now += 100) rate.note(now);
    expect(rate.read(19_999)).toBeCloseTo(10, 0);
    expect(rate.read(20_000)).toBeCloseTo(10, 0);
  });

  it("falls to nothing when nothing happens any more", () => {
    const rate = new Rate();
    rate.note(10_000);
    expect(rate.read(10_000)).toBeGreaterThan(0);
    expect(rate.read(14_000)).toBe(0);
    expect(rate.read(100_000)).toBe(0);
  });
});
