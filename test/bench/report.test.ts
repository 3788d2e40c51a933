import { describe, expect, it } from "vitest";
import { type Budget, isKept, isKeptWithSlack } from "../../bench/report.ts";
import { checkMessages } from "../../bench/rival.ts";
import { spread } from "../../bench/spread.ts";

const budget = (median: number, more: Partial<Budget> = {}): Budget => ({
  name: "a budget",
  limit: 3,
  keeps: "at most",
  unit: "x",
  measured: { median, min: 0, max: 100 },
  ...more,
});

describe("the bench", () => {
  it("compares medians and allows more in a brief run", () => {
    expect(isKept(budget(3))).toBe(true);
    expect(isKept(budget(3.1))).toBe(false);
    expect(isKeptWithSlack(budget(3.1), 1.25)).toBe(true);
    expect(isKeptWithSlack(budget(3.8), 1.25)).toBe(false);
    expect(isKeptWithSlack(budget(2.5, { keeps: "at least" }), 1.25)).toBe(true);
    expect(isKeptWithSlack(budget(2.3, { keeps: "at least" }), 1.25)).toBe(false);
    expect(isKeptWithSlack(budget(4, { accepted: 4 }), 1.25)).toBe(true);
    expect(isKeptWithSlack(budget(4.1, { accepted: 4 }), 1.25)).toBe(false);
  });

  it("finds the median of an odd and an even number of measurements", () => {
    expect(spread([5, 1, 3])).toEqual({ median: 3, min: 1, max: 5 });
    expect(spread([4, 1, 3, 2])).toEqual({ median: 2.5, min: 1, max: 4 });
  });

  it("refuses messages that are missing, repeated or wrong", () => {
    const good = { runId: "a", text: "x" };
    expect(() => checkMessages([good], ["a"], "x")).not.toThrow();
    expect(() => checkMessages([], ["a"], "x")).toThrow("missing");
    expect(() => checkMessages([good, good], ["a"], "x")).toThrow("not ended");
    expect(() => checkMessages([{ ...good, text: "y" }], ["a"], "x")).toThrow("wrong text");
  });
});
