import { type Clock, MAX_DELAY_MS } from "../../kit/clock.ts";

/** Waits until the moment `t` of a recording has come; not at all where a line does not say when it was. */
export type Pace = (t: number | undefined) => Promise<void>;

/**
 * The pace of a recording that starts now and is played `speed` times as fast as it was recorded. Each frame has
 * its own due time from the start, so that late timers do not add up. The wait keeps the process alive, and ends
 * at once when `signal` is aborted.
 */
export function createPace(speed: number, clock: Clock, signal: AbortSignal): Pace {
  const startedAt = clock.now();
  let firstT: number | undefined;

  return async (t) => {
    if (t === undefined || speed === Number.POSITIVE_INFINITY) return;
    firstT ??= t;
    const dueAt = startedAt + (t - firstT) / speed;
    // More than one turn only for a pause longer than a timer can hold.
    for (let waitMs = dueAt - clock.now(); waitMs > 0 && !signal.aborted; waitMs = dueAt - clock.now()) {
      await wait(Math.min(Math.ceil(waitMs), MAX_DELAY_MS), clock, signal);
    }
  };
}

function wait(ms: number, clock: Clock, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clock.clearTimeout(timer as never);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = clock.setTimeout(done, ms, true);
    signal.addEventListener("abort", done);
  });
}
