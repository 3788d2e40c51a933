import type { Clock } from "../clock.ts";

/** A clock that moves only when told to. Give it to `createInbox`, to an actor, or to `distinctWithin`. */
export interface TestClock extends Clock {
  /**
   * Moves time on by `ms` and calls every timer that falls due on the way, in order, each at its
   * own time; timers set on the way count too.
   */
  advance(ms: number): void;
  /** How many timers are waiting. */
  readonly pending: number;
}

/** A {@link TestClock} that starts at `now` ms since the epoch (default 0). */
export function createTestClock(now = 0): TestClock {
  const timers = new Map<number, { readonly at: number; readonly callback: () => void }>();
  let nextHandle = 1;

  function nextDue(until: number): number | undefined {
    let due: number | undefined;
    let dueAt = until;
    for (const [handle, { at }] of timers) {
      if (at < dueAt || (at === dueAt && due === undefined)) {
        due = handle;
        dueAt = at;
      }
    }
    return due;
  }

  return {
    now: () => now,
    setTimeout(callback, ms) {
      timers.set(nextHandle, { at: now + Math.max(0, ms), callback: callback as () => void });
      return nextHandle++;
    },
    clearTimeout(handle: number) {
      timers.delete(handle);
    },
    advance(ms) {
      const until = now + ms;
      for (let handle = nextDue(until); handle !== undefined; handle = nextDue(until)) {
        const timer = timers.get(handle) as { at: number; callback: () => void };
        timers.delete(handle);
        now = timer.at;
        timer.callback();
      }
      now = until;
    },
    get pending() {
      return timers.size;
    },
  };
}
