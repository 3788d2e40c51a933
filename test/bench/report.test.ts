import { describe, expect, it } from "vitest";
import { barChart, lineChart } from "../../bench/charts.ts";
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

  it("draws bars as long as their values, and words that may hold anything", () => {
    const bar = (value: number, ours = false) => ({ name: `<${value}>`, value, label: `${value} & more`, ours });
    const drawn = barChart("A title", "a unit", [bar(200, true), bar(50)]);
    const widths = Array.from(drawn.matchAll(/<rect class="(\w+)" [^>]*width="([\d.]+)"/g), ([, kind, width]) => [
      kind,
      width,
    ]);
    expect(widths.map(([kind]) => kind)).toEqual(["ours", "other"]);
    expect(Number(widths[0]?.[1]) / Number(widths[1]?.[1])).toBeCloseTo(4);
    expect(drawn).toContain("&lt;50&gt;");
    expect(drawn).toContain("50 &amp; more");
    expect(drawn).toContain("prefers-color-scheme: dark");
  });

  it("draws lines over the powers of ten", () => {
    const drawn = lineChart("A title", "a unit", "runs", [
      {
        name: "ours",
        ours: true,
        points: [
          [1, 1],
          [100, 100],
        ],
      },
      { name: "theirs", ours: false, points: [[1, 10]] },
    ]);
    const [x1, y1, x2, y2] = Array.from(/points="([\d.]+),([\d.]+) ([\d.]+),([\d.]+)"/.exec(drawn) ?? [], Number).slice(
      1,
    );
    expect([Number(x2) > Number(x1), Number(y2) < Number(y1)]).toEqual([true, true]);
    expect(drawn).not.toMatch(/NaN|Infinity/);
    for (const power of [1, 10, 100]) expect(drawn).toContain(`>${power}</text>`);
  });
});
