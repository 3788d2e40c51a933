import { describe, expect, it } from "vitest";
import { SaidTexts } from "../../src/runs/said-texts.ts";

const run = () => ({ said: "" });

describe("said texts", () => {
  it("forget the oldest above the limit of bytes", () => {
    const texts = new SaidTexts(1_000);
    const runs = [run(), run(), run()];
    for (const one of runs) texts.keep(one, "x".repeat(200));
    expect(runs.map(({ said }) => said.length)).toEqual([0, 200, 200]);
  });

  it("forget a text that is larger than the limit", () => {
    const texts = new SaidTexts(1_000);
    const [long, short] = [run(), run()];
    texts.keep(long, "x".repeat(1_000));
    texts.keep(short, "short");
    expect([long.said, short.said]).toEqual(["", "short"]);
  });

  it("count empty texts, too", () => {
    const texts = new SaidTexts(1_000);
    const first = run();
    texts.keep(first, "first");
    for (let i = 0; i < 10; i++) texts.keep(run(), "");
    expect(first.said).toBe("");
  });

  it("forget all at once", () => {
    const texts = new SaidTexts(1_000);
    const runs = [run(), run()];
    for (const one of runs) texts.keep(one, "text");
    texts.clear();
    expect(runs).toEqual([run(), run()]);
  });
});
