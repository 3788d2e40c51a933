import type { Clock } from "../kit/clock.ts";
import { createTimerHeap, type Timer } from "./timer-heap.ts";

/** A clock that moves only when it is told to. Give it to `createInbox`, to an actor or to `distinctWithin`. */
export interface TestClock extends Clock {
  /**
   * Moves time on by `ms` milliseconds. Every timer that falls due is called at its own time, also one that is set
   * meanwhile. Timers of equal time are called in the order in which they were set.
   */
  advance(ms: number): void;
  /** How many timers are set. 0 shows that nothing was left behind. */
  readonly pending: number;
}

/**
 * A {@link TestClock} that starts at `now`, in ms since the epoch (default 0). It works with 100,000 timers and more.
 *
 * @example
 * const clock = createTestClock();
 * const inbox = createInbox({ clock, ttlMs: 60_000 });
 * clock.advance(60_000);
 */
export function createTestClock(now = 0): TestClock {
  const heap = createTimerHeap();
  const waiting = new Map<number, Timer>();
  let order = 0;

  return {
    now: () => now,
    setTimeout(callback, ms) {
      order += 1;
      const timer = { at: now + Math.max(0, ms), order, callback: callback as () => void, cleared: false };
      waiting.set(order, timer);
      heap.add(timer);
      return order;
    },
    clearTimeout(handle: number) {
      const timer = waiting.get(handle);
      if (timer === undefined) return;
      heap.clear(timer);
      waiting.delete(handle);
    },
    advance(ms) {
      const until = now + ms;
      for (let next = heap.peek(); next !== undefined && next.at <= until; next = heap.peek()) {
        heap.take();
        waiting.delete(next.order);
        now = next.at;
        next.callback();
      }
      now = until;
    },
    get pending() {
      return waiting.size;
    },
  };
}
