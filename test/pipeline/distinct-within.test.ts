import fc from "fast-check";
import { from, Subject } from "rxjs";
import { TestScheduler } from "rxjs/testing";
import { describe, expect, it } from "vitest";
import { distinctWithin } from "../../src/index.ts";
import { createTestClock } from "../../src/testing/clock.ts";

describe("distinctWithin", () => {
  it("drops a repeat of a key inside its window", () => {
    const scheduler = new TestScheduler((actual, expected) => expect(actual).toEqual(expected));
    scheduler.run(({ cold, expectObservable, expectSubscriptions }) => {
      const clock = { now: () => scheduler.now(), setTimeout: () => 0, clearTimeout() {} };
      const source = cold("  a-b-a-b-a-b-c-c|");
      const seen = source.pipe(distinctWithin({ key: (value) => value, windowMs: 6, clock }));
      // a at 0 is forgotten at 6, so the a at 8 passes; b at 2 until 8, so the b at 10 passes.
      expectObservable(seen).toBe("a-b-----a-b-c--|");
      expectSubscriptions(source.subscriptions).toBe("^--------------!");
    });
  });

  it("passes a value without a key every time", () => {
    const out: number[] = [];
    from([1, 1, 1])
      .pipe(distinctWithin({ key: () => undefined, windowMs: 1_000 }))
      .subscribe((value) => out.push(value));
    expect(out).toEqual([1, 1, 1]);
  });

  it("drops nothing when the window is 0", () => {
    const out: number[] = [];
    from([1, 1])
      .pipe(distinctWithin({ key: String, windowMs: 0 }))
      .subscribe((value) => out.push(value));
    expect(out).toEqual([1, 1]);
  });

  it("uses the times of the values when they have some", () => {
    const out: number[] = [];
    const values = [0, 999, 1_000, 1_999, 2_000];
    from(values)
      .pipe(distinctWithin({ key: () => "same", at: (value) => value, windowMs: 1_000, clock: createTestClock() }))
      .subscribe((value) => out.push(value));
    expect(out).toEqual([0, 1_000, 2_000]);
  });

  it.each([
    [{ windowMS: 5 }, /`windowMS`/],
    [{ key: "id" }, /`key` to be a function, got `id`/],
    [{ windowMs: -1 }, /`windowMs` to be a number >= 0, got `-1`/],
    [{ windowMs: Number.NaN }, /`windowMs` to be a number >= 0, got `NaN`/],
    [{ maxKeys: 0 }, /`maxKeys` to be an integer >= 1, got `0`/],
  ])("refuses %j", (wrong, message) => {
    expect(() => distinctWithin({ key: String, windowMs: 5, ...wrong } as never)).toThrow(message);
  });

  it("forgets the oldest key above the limit and reports it", () => {
    const out: string[] = [];
    let evicted = 0;
    const options = { key: (value: string) => value, windowMs: 1_000, maxKeys: 2, onEvict: () => (evicted += 1) };
    from(["a", "b", "c", "a", "c"])
      .pipe(distinctWithin(options))
      .subscribe((value) => out.push(value));
    expect(out).toEqual(["a", "b", "c", "a"]);
    expect(evicted).toBe(2);
  });

  it("leaves no timer after unsubscription or when all keys are forgotten", () => {
    const clock = createTestClock();
    const source = new Subject<string>();
    const subscription = source.pipe(distinctWithin({ key: (value) => value, windowMs: 100, clock })).subscribe();
    source.next("a");
    clock.advance(50);
    source.next("b");
    expect(clock.pending).toBe(1);
    clock.advance(100);
    expect(clock.pending).toBe(0);
    source.next("c");
    subscription.unsubscribe();
    expect(clock.pending).toBe(0);
  });

  it("passes errors and completion", () => {
    const failing = new Subject<string>();
    const seen: unknown[] = [];
    failing
      .pipe(distinctWithin({ key: (value) => value, windowMs: 1 }))
      .subscribe({ error: (error) => seen.push(error) });
    failing.error("broken");
    expect(seen).toEqual(["broken"]);
  });

  it("equals a naive reference for any values, groups and times", () => {
    const value = fc.record({ group: fc.constantFrom("g", "h"), key: fc.constantFrom("a", "b", 1, 2, undefined) });
    const steps = fc.array(fc.record({ value, waitMs: fc.nat(40) }), { maxLength: 80 });
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 8 }), (list, windowMs, maxKeys) => {
        const clock = createTestClock();
        const source = new Subject<(typeof list)[number]["value"]>();
        const passed: unknown[] = [];
        source
          .pipe(distinctWithin({ group: ({ group }) => group, key: ({ key }) => key, windowMs, maxKeys, clock }))
          .subscribe((value) => passed.push([value, clock.now()]));
        const naive: unknown[] = [];
        let remembered: { readonly name: string; readonly at: number }[] = [];
        for (const { value, waitMs } of list) {
          clock.advance(waitMs);
          const name = `${value.group} ${typeof value.key} ${value.key}`;
          remembered = remembered.filter(({ at }) => clock.now() - at < windowMs);
          const isRepeat = value.key !== undefined && remembered.some((entry) => entry.name === name);
          if (!isRepeat) naive.push([value, clock.now()]);
          if (!isRepeat && value.key !== undefined)
            remembered = [...remembered, { name, at: clock.now() }].slice(-maxKeys);
          source.next(value);
        }
        expect(passed).toEqual(naive);
      }),
    );
  });

  it("remembers no key longer when the host's clock is set back", () => {
    let now = 1_000_000;
    const clock = { now: () => now, setTimeout: () => 1, clearTimeout() {} };
    const source = new Subject<string>();
    const out: string[] = [];
    source.pipe(distinctWithin({ key: (value) => value, windowMs: 100, clock })).subscribe((value) => out.push(value));
    source.next("a");
    now -= 3_600_000;
    source.next("b");
    source.next("a");
    now += 99;
    source.next("a");
    expect(out).toEqual(["a", "b"]);
    now += 1;
    source.next("a");
    expect(out).toEqual(["a", "b", "a"]);
  });
});
