import { type Clock, MAX_DELAY_MS } from "./clock.ts";

/** A call that will come, unless it is cancelled first. */
export interface Timer {
  /** Does nothing once the call has come. */
  cancel(): void;
}

/**
 * Calls `callback` once, `ms` milliseconds from now; `Infinity` never does. `ms` may be longer than a timer of
 * Node's can hold. The process may end before, unless `keepAlive` is true.
 */
export function startTimer(clock: Clock, ms: number, callback: () => void, keepAlive = false): Timer {
  let handle: unknown;
  const wait = (leftMs: number) => {
    const now = Math.min(leftMs, MAX_DELAY_MS);
    handle = clock.setTimeout(now === leftMs ? callback : () => wait(leftMs - now), now, keepAlive);
  };
  if (ms !== Number.POSITIVE_INFINITY) wait(ms);
  // A clock reads only handles of its own, whose type is not told.
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
