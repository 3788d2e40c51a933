import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { deliverySeconds, metrics } from "../../src/metrics/metrics.ts";

const file = new URL("../../examples/grafana-dashboard.json", import.meta.url);
const text = readFileSync(file, "utf8");

describe("the example dashboard", () => {
  it("asks only for existing metrics and labels", () => {
    const known = new Set([...metrics.map(({ name }) => name), `${deliverySeconds.name}_bucket`]);
    const asked = [...text.matchAll(/openclaw_inbox_(\w+)/g)].map(([, name]) => name);
    expect(asked.length).toBeGreaterThan(20);
    for (const name of asked) expect(known).toContain(name);
    const labels = new Set(metrics.flatMap(({ labelNames }) => labelNames));
    for (const [, names = ""] of text.matchAll(/ by \(([^)]+)\)/g))
      for (const name of names.split(", ")) expect([...labels, "le"]).toContain(name);
  });

  it("has a rate for counters and none for gauges", () => {
    const { panels } = JSON.parse(text) as { panels: { targets: { expr: string }[] }[] };
    for (const { expr } of panels.flatMap(({ targets }) => targets)) {
      const counted = /_(total|bucket)\b/.test(expr);
      expect(/\b(rate|increase)\(/.test(expr), expr).toBe(counted);
    }
  });
});
