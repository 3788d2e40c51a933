import type { Clock } from "../../kit/clock.ts";
import { pause } from "../../kit/timer.ts";

/** Waits until the moment `t` of a recording. It does not wait for a line without a time. */
export type Pace = (t: number | undefined) => Promise<void>;

/**
 * The pace of a recording that starts now and is played `speed` times as fast as it was recorded. The due time of each
 * frame is counted from the start, so that late timers do not add up. Waiting keeps the process alive, and ends at once
 * when `signal` is aborted.
 */
export function createPace(speed: number, clock: Clock, signal: AbortSignal): Pace {
  const startedAt = clock.now();
  let firstT: number | undefined;

  return async (t) => {
    if (t === undefined || speed === Number.POSITIVE_INFINITY) return;
    firstT ??= t;
    const waitMs = Math.ceil(startedAt + (t - firstT) / speed - clock.now());
    if (waitMs > 0) await pause(clock, waitMs, signal, true);
  };
}
