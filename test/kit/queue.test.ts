import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Queue } from "../../src/kit/queue.ts";
import { heapGrowth } from "../helpers/heap.ts";

describe("a queue", () => {
  it("is first in, first out", () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 5_000 }), (steps) => {
        const queue = new Queue<number>();
        const model: number[] = [];
        for (const [i, isPush] of steps.entries()) {
          if (isPush) {
            queue.push(i);
            model.push(i);
          } else expect(queue.shift()).toBe(model.shift());
          expect([queue.size, queue.peek()]).toEqual([model.length, model[0]]);
        }
      }),
      { numRuns: 20 },
    );
  });

  it.each([1, 3_000])("stays small however much passes through it while %s wait", (waiting) => {
    const queue = new Queue<object>();
    for (let i = 0; i < waiting; i++) queue.push({ i });
    const churn = () => {
      for (let i = 0; i < 1_000_000; i++) {
        queue.push({ i });
        queue.shift();
      }
    };
    expect(heapGrowth(churn)).toBeLessThan(2_000_000);
  });

  it("frees its memory after many entries", () => {
    const queue = new Queue<object>();
    const flood = () => {
      for (let i = 0; i < 500_000; i++) queue.push({ i });
      while (queue.size > 1) queue.shift();
    };
    expect(heapGrowth(flood)).toBeLessThan(2_000_000);
  });
});
