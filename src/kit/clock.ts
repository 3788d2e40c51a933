/**
 * Time, as the whole package sees it. XState's `SimulatedClock` fits, and so does
 * `createTestClock()` of `openclaw-inbox/testing`.
 */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /**
   * Calls `callback` once after `ms` milliseconds (at most 2,147,483,647). The process may end
   * before it fires, unless `keepAlive` is true.
   */
  setTimeout(callback: (...args: never[]) => void, ms: number, keepAlive?: boolean): unknown;
  clearTimeout(handle: never): void;
}

/** The longest delay a Node timer can hold, in milliseconds (24.8 days). */
export const MAX_DELAY_MS = 2_147_483_647;

/** Node's timers. They keep the process alive only where asked to. */
export const systemClock: Clock = {
  now: () => Date.now(),
  setTimeout(callback, ms, keepAlive = false) {
    const timer = setTimeout(callback, ms);
    return keepAlive ? timer : timer.unref();
  },
  clearTimeout: (handle: NodeJS.Timeout) => clearTimeout(handle),
};

/**
 * Reads `clock`, but never a time before one that was read already: a clock that is set back stands still for a
 * moment in place of making everything younger.
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
