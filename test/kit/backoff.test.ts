import { expect, it } from "vitest";
import { exponential } from "../../src/kit/backoff.ts";

it("doubles with each failure up to its maximum", () => {
  const backoff = exponential(250, 1_500);
  expect([1, 2, 3, 4, 5, 10_000].map(backoff)).toEqual([250, 500, 1_000, 1_500, 1_500, 1_500]);
});

it("stays a number however often it fails", () => {
  expect(exponential(0, 1_000)(5_000)).toBe(0);
  expect(exponential(1, Number.POSITIVE_INFINITY)(5_000)).toBeGreaterThan(1e300);
});
