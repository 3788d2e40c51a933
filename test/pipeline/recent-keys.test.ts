import { describe, expect, it } from "vitest";
import { RecentKeys } from "../../src/pipeline/recent-keys.ts";
import { createTestClock } from "../../src/testing/clock.ts";
import { heapGrowth } from "../helpers/heap.ts";

describe("the recent keys", () => {
  it.each([
    ["one key again and again", () => "group", () => 1],
    ["one group's keys", () => "group", (i: number) => i],
    ["a group for each key", (i: number) => `group ${i}`, (i: number) => i],
  ])("stay small whatever is added: %s", (_, groupOf, keyOf) => {
    const clock = createTestClock();
    const recent = new RecentKeys({ windowMs: 60_000, maxKeys: 100, clock });
    recent.add("older", 0, 0);
    const churn = () => {
      for (let i = 0; i < 500_000; i++) recent.add(groupOf(i), keyOf(i), 1);
    };
    expect(heapGrowth(churn)).toBeLessThan(2_000_000);
  });
});
