import { describe, expect, it } from "vitest";
import { deliverySeconds, metrics, valuesOf } from "../../src/metrics/metrics.ts";
import { zeroCounts } from "../../src/report/counters.ts";
import { codesIn, readPage, tablesIn } from "./page.ts";

const page = readPage("docs/operations.md");
const [watched] = tablesIn(page).filter(({ of }) => of === "counter");
const rows = watched?.rows.map(({ cells }) => cells) ?? [];

describe("docs/operations.md", () => {
  it("watches existing counters by their metric names", () => {
    expect(rows.length).toBeGreaterThan(10);
    for (const [counter = "", metric = ""] of rows) {
      const [, name = "", label, value] = /^`(\w+)(?:\{(\w+)="(\w+)"\})?`$/.exec(metric) ?? [];
      const found = metrics.find((one) => one.name === name);
      expect(found, metric).toBeDefined();
      if (found === undefined || counter.startsWith("(")) continue;
      const [field = ""] = codesIn(counter);
      const stats = { ...zeroCounts(), [field]: 7 };
      const values = valuesOf(found, { stats: () => stats, links: () => [] });
      const raised = values.find(({ labels }) => label === undefined || labels[label] === value);
      expect(raised?.value, `${counter} as ${metric}`).toBe(7);
    }
  });

  it("names only existing counters", () => {
    const [, healthy = ""] = /Healthy at any value: ([^.]*)\./.exec(page) ?? [];
    expect(Object.keys(zeroCounts())).toEqual(expect.arrayContaining([...codesIn(healthy)]));
    expect(page).toContain(`\`${deliverySeconds.name}\``);
  });
});
