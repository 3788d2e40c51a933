import type { Clock } from "./clock.ts";
import { startTimer } from "./timer.ts";

/** A time limit for one piece of work. */
export interface Deadline {
  /** Aborted when the time is up, or with the outer signal, and never after `release`. */
  readonly signal: AbortSignal;
  /** Says that the work is done: lets go of the timer and of the outer signal. */
  release(): void;
}

/** What a {@link deadline} needs. */
export interface DeadlineOptions {
  readonly clock: Clock;
  /** `Infinity`: no limit of its own. */
  readonly ms: number;
  /** Makes what the signal is aborted with when the time is up. */
  readonly reason: () => unknown;
  /** Ends the work early, with its own reason. */
  readonly signal?: AbortSignal | undefined;
  /** The process must not end before. */
  readonly keepAlive?: boolean;
}

/** Starts a time limit. */
export function deadline({ clock, ms, reason, signal: outer, keepAlive }: DeadlineOptions): Deadline {
  const control = new AbortController();
  const end = () => {
    release();
    control.abort(outer?.reason);
  };
  const timer = startTimer(
    clock,
    ms,
    () => {
      release();
      control.abort(reason());
    },
    keepAlive,
  );
  function release(): void {
    timer.cancel();
    outer?.removeEventListener("abort", end);
  }
  if (outer?.aborted === true) end();
  else outer?.addEventListener("abort", end);
  return { signal: control.signal, release };
}

/** Settles as `work` does, or rejects with the signal's reason if that is aborted first: for work that ignores its signal. */
export function orAborted<T>(work: PromiseLike<T> | T, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const end = () => reject(signal.reason);
    if (signal.aborted) end();
    else signal.addEventListener("abort", end);
    // Also when the signal was first: nobody else hears of a rejection of `work`.
    Promise.resolve(work)
      .then(resolve, reject)
      .finally(() => signal.removeEventListener("abort", end));
  });
}

/** Waits for `work`, at most `ms`. Says whether it was done in time; a rejection of `work` passes through. */
export async function within(
  clock: Clock,
  ms: number,
  work: PromiseLike<unknown>,
  keepAlive = false,
): Promise<boolean> {
  const late = Promise.withResolvers<false>();
  const timer = startTimer(clock, ms, () => late.resolve(false), keepAlive);
  try {
    return await Promise.race([work.then(() => true), late.promise]);
  } finally {
    timer.cancel();
  }
}
