import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ExpiringMap } from "../../src/kit/expiring-map.ts";
import { createTestClock } from "../../src/testing/clock.ts";
import { heapGrowth } from "../helpers/heap.ts";

const MB = 1_000_000;

function create(windowMs: number, maxKeys: number) {
  const clock = createTestClock();
  let evicted = 0;
  const map = new ExpiringMap<number>({ windowMs, maxKeys, clock, onEvict: () => (evicted += 1) });
  return { clock, map, evicted: () => evicted };
}

describe("an expiring map", () => {
  it("forgets each key when its own time is up", () => {
    const { clock, map } = create(10, 100);
    map.set("a", 1);
    clock.advance(5);
    map.set("b", 2);
    clock.advance(5);
    expect([map.get("a"), map.get("b")]).toEqual([undefined, 2]);
    clock.advance(5);
    expect([map.size, clock.pending]).toEqual([0, 0]);
  });

  it("keeps a key that is set again for its whole time", () => {
    const { clock, map } = create(10, 100);
    map.set("a", 1);
    clock.advance(9);
    map.set("a", 2);
    clock.advance(9);
    expect(map.get("a")).toBe(2);
  });

  it("forgets the oldest above the limit of keys", () => {
    const { map, evicted } = create(10, 2);
    for (const key of ["a", "b", "a", "c"]) map.set(key, 1);
    expect([map.get("a"), map.get("b"), map.get("c")]).toEqual([1, undefined, 1]);
    expect([map.size, evicted()]).toEqual([2, 1]);
  });

  it("forgets the oldest above the limit of size", () => {
    const map = new ExpiringMap<number>({
      windowMs: 10,
      maxKeys: 100,
      maxSize: 10,
      sizeOf: (value) => value,
      clock: createTestClock(),
    });
    map.set("a", 4);
    map.set("b", 4);
    map.set("a", 6);
    expect([...map.values()]).toEqual([4, 6]);
    map.delete("b");
    map.set("c", 4);
    expect([...map.values()]).toEqual([6, 4]);
    map.set("d", 3);
    expect([...map.values()]).toEqual([4, 3]);
    map.set("e", 11);
    expect([...map.values()]).toEqual([]);
  });

  it("does not count a deleted key as forgotten", () => {
    const { map, evicted } = create(10, 2);
    for (const key of ["a", "b", "c", "d"]) {
      map.set(key, 1);
      map.delete(key);
    }
    expect([map.size, evicted()]).toEqual([0, 0]);
  });

  it("forgets in time when the clock is set back", () => {
    let now = 1_000;
    const timers = createTestClock();
    const clock = { ...timers, now: () => now };
    const map = new ExpiringMap<number>({ windowMs: 10, maxKeys: 100, clock });
    map.set("a", 1);
    now -= 500;
    map.set("b", 2);
    now += 9;
    expect([map.get("a"), map.get("b")]).toEqual([1, 2]);
    now += 1;
    expect([map.get("a"), map.get("b")]).toEqual([undefined, undefined]);
  });

  it("remembers nothing when its window is 0", () => {
    const { clock, map } = create(0, 100);
    map.set("a", 1);
    expect([map.size, clock.pending]).toEqual([0, 0]);
  });

  it("lists its keys, the oldest first", () => {
    const { map } = create(10, 100);
    for (const [key, value] of [
      ["a", 1],
      ["b", 2],
      ["a", 3],
    ] as const)
      map.set(key, value);
    expect([...map.values()]).toEqual([2, 3]);
  });

  it("stays small when one key is set again and again behind an older one", () => {
    const { map } = create(60_000, 100);
    map.set("older", 0);
    expect(
      heapGrowth(() => {
        for (let i = 0; i < 500_000; i++) map.set("again", i);
      }),
    ).toBeLessThan(2 * MB);
    expect([map.get("older"), map.get("again")]).toEqual([0, 499_999]);
  });

  it("stays small when keys are set and deleted behind an older one", () => {
    const { map } = create(60_000, 100);
    map.set("older", 0);
    const churn = () => {
      for (let i = 0; i < 500_000; i++) {
        map.set(`key ${i}`, i);
        map.delete(`key ${i}`);
      }
    };
    expect(heapGrowth(churn)).toBeLessThan(2 * MB);
    expect(map.size).toBe(1);
  });

  it("frees what is deleted when nothing is set after that", () => {
    const { map } = create(60_000, 500_000);
    const churn = () => {
      for (let i = 0; i < 300_000; i++) map.set(`key ${i}`, i);
      for (let i = 0; i < 300_000; i++) map.delete(`key ${i}`);
    };
    expect(heapGrowth(churn)).toBeLessThan(2 * MB);
  });

  it("keeps what a plain list would keep", () => {
    const key = fc.constantFrom("a", "b", "c", "d", "e");
    const act = fc.oneof(
      fc.record({ act: fc.constant("set" as const), key, value: fc.integer({ min: 1, max: 6 }) }),
      fc.record({ act: fc.constant("delete" as const), key }),
      fc.record({ act: fc.constant("wait" as const), ms: fc.integer({ min: 1, max: 12 }) }),
    );
    fc.assert(
      fc.property(fc.array(act, { maxLength: 60 }), fc.integer({ min: 1, max: 4 }), (acts, maxKeys) => {
        const clock = createTestClock();
        const bounds = { windowMs: 10, maxKeys, maxSize: 12, sizeOf: (value: number) => value };
        const bySize = new ExpiringMap<number>({ ...bounds, clock });
        const byCount = new ExpiringMap<number>({ windowMs: 10, maxKeys, clock });
        const sized = plainList({ ...bounds, now: () => clock.now() });
        const counted = plainList({ ...bounds, maxSize: Number.POSITIVE_INFINITY, now: () => clock.now() });
        for (const step of acts) {
          if (step.act === "wait") clock.advance(step.ms);
          else
            for (const map of [bySize, byCount, sized, counted]) {
              if (step.act === "set") map.set(step.key, step.value);
              else map.delete(step.key);
            }
          expect([[...bySize.values()], [...byCount.values()]]).toEqual([sized.values(), counted.values()]);
        }
        clock.advance(20);
        expect([bySize.size, byCount.size, clock.pending]).toEqual([0, 0, 0]);
      }),
    );
  });
});

interface PlainBounds {
  readonly windowMs: number;
  readonly maxKeys: number;
  readonly maxSize: number;
  readonly now: () => number;
}

/** The same by searching a list. */
function plainList({ windowMs, maxKeys, maxSize, now }: PlainBounds) {
  let entries: { readonly key: string; readonly value: number; readonly at: number }[] = [];
  const size = () => entries.reduce((sum, { value }) => sum + value, 0);
  return {
    set(key: string, value: number) {
      entries = [...entries.filter((entry) => entry.key !== key), { key, value, at: now() }];
      entries = entries.filter(({ at }) => now() - at < windowMs);
      while (entries.length > maxKeys || size() > maxSize) entries = entries.slice(1);
    },
    delete(key: string) {
      entries = entries.filter((entry) => entry.key !== key);
    },
    values: () => entries.filter(({ at }) => now() - at < windowMs).map(({ value }) => value),
  };
}
