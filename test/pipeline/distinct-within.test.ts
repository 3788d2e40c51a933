import fc from "fast-check";
import { from, Subject } from "rxjs";
import { TestScheduler } from "rxjs/testing";
import { describe, expect, it } from "vitest";
import { distinctWithin } from "../../src/index.ts";
import { createTestClock } from "../../src/testing/clock.ts";

describe("distinctWithin", () => {
  it("drops a repeat inside the window and passes one after it, each key on its own", () => {
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

  it("forgets the oldest key when there are too many, and tells", () => {
    const out: string[] = [];
    let evicted = 0;
    const options = { key: (value: string) => value, windowMs: 1_000, maxKeys: 2, onEvict: () => (evicted += 1) };
    from(["a", "b", "c", "a", "c"])
      .pipe(distinctWithin(options))
      .subscribe((value) => out.push(value));
    expect(out).toEqual(["a", "b", "c", "a"]);
    expect(evicted).toBe(2);
  });

  it("leaves no timer behind when it is unsubscribed, nor when everything has aged", () => {
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

  it("passes errors and the end on", () => {
    const failing = new Subject<string>();
    const seen: unknown[] = [];
    failing
      .pipe(distinctWithin({ key: (value) => value, windowMs: 1 }))
      .subscribe({ error: (error) => seen.push(error) });
    failing.error("broken");
    expect(seen).toEqual(["broken"]);
  });

  it("equals a naive reference, for any values at any times", () => {
    const steps = fc.array(fc.record({ key: fc.constantFrom("a", "b", "c", "d", undefined), waitMs: fc.nat(40) }), {
      maxLength: 80,
    });
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 60 }), (list, windowMs) => {
        const clock = createTestClock();
        const source = new Subject<string | undefined>();
        const passed: [string | undefined, number][] = [];
        source
          .pipe(distinctWithin({ key: (value) => value, windowMs, clock }))
          .subscribe((value) => passed.push([value, clock.now()]));
        const naive: [string | undefined, number][] = [];
        for (const { key, waitMs } of list) {
          clock.advance(waitMs);
          const now = clock.now();
          if (key === undefined || !naive.some(([seen, at]) => seen === key && now - at < windowMs))
            naive.push([key, now]);
          source.next(key);
        }
        expect(passed).toEqual(naive);
      }),
    );
  });
});
