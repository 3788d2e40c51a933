import { type Clock, MAX_DELAY_MS } from "./clock.ts";

/** A call that will come, unless it is cancelled first. */
export interface Timer {
  /** Has no effect once the callback was called. */
  cancel(): void;
}

/**
 * Calls `callback` once, `ms` milliseconds from now. `Infinity` never calls it. `ms` may be longer than a Node timer
 * allows. The process may end before that, unless `keepAlive` is true.
 */
export function startTimer(clock: Clock, ms: number, callback: () => void, keepAlive = false): Timer {
  let handle: unknown;
  const wait = (leftMs: number) => {
    const now = Math.min(leftMs, MAX_DELAY_MS);
    handle = clock.setTimeout(now === leftMs ? callback : () => wait(leftMs - now), now, keepAlive);
  };
  if (ms !== Number.POSITIVE_INFINITY) wait(ms);
  // A clock only takes handles that it made, and their type is unknown here.
  return { cancel: () => handle !== undefined && clock.clearTimeout(handle as never) };
}

/** Waits `ms` milliseconds, or until `signal` is aborted. Never rejects. */
export function pause(clock: Clock, ms: number, signal?: AbortSignal, keepAlive = false): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) return resolve();
    const end = () => {
      timer.cancel();
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const timer = startTimer(clock, ms, end, keepAlive);
    signal?.addEventListener("abort", end);
  });
}
