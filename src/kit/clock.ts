/**
 * The clock that the whole package uses. XState's `SimulatedClock` fits, and so does `createTestClock()` of
 * `openclaw-inbox/testing`.
 */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /**
   * Calls `callback` once after `ms` milliseconds (at most 2,147,483,647). The process may end before that, unless
   * `keepAlive` is true.
   */
  setTimeout(callback: (...args: never[]) => void, ms: number, keepAlive?: boolean): unknown;
  clearTimeout(handle: never): void;
}

/** The longest delay a Node timer can hold, in milliseconds (24.8 days). */
export const MAX_DELAY_MS = 2_147_483_647;

/** Node's timers. They keep the process alive only when asked to. */
export const systemClock: Clock = {
  now: () => Date.now(),
  setTimeout(callback, ms, keepAlive = false) {
    const timer = setTimeout(callback, ms);
    return keepAlive ? timer : timer.unref();
  },
  clearTimeout: (handle: NodeJS.Timeout) => clearTimeout(handle),
};

/**
 * Reads `clock`, but never returns less than before. When the clock is set back, the time stands still until the clock
 * has caught up.
 */
export function neverBack(clock: Pick<Clock, "now">): () => number {
  let latest = Number.NEGATIVE_INFINITY;
  let backMs = 0;
  return () => {
    const now = clock.now() + backMs;
    if (now < latest) backMs += latest - now;
    latest = Math.max(now, latest);
    return latest;
  };
}
