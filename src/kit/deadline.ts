import type { Clock } from "./clock.ts";
import { startTimer } from "./timer.ts";

/** A time limit for one piece of work. */
export interface Deadline {
  /** Aborted when the time is up, or when the outer signal is. Never aborted after `release`. */
  readonly signal: AbortSignal;
  /** Call it when the work is done: it stops the timer and the listener on the outer signal. */
  release(): void;
}

/** What a {@link deadline} needs. */
export interface DeadlineOptions {
  readonly clock: Clock;
  /** In ms. `Infinity`: no limit, only the outer signal. */
  readonly ms: number;
  /** Makes the abort reason for when the time is up. */
  readonly reason: () => unknown;
  /** Ends the work early, with the reason of this signal. */
  readonly signal?: AbortSignal | undefined;
  /** Whether the process must stay alive until then. Default false. */
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

/**
 * Settles as `work` does, or rejects with the signal's reason if the signal is aborted first. Meant for work that
 * ignores its signal.
 */
export function orAborted<T>(work: PromiseLike<T> | T, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const end = () => reject(signal.reason);
    if (signal.aborted) end();
    else signal.addEventListener("abort", end);
    // Needed when the signal was first, too: nothing else handles a rejection of `work` then.
    Promise.resolve(work)
      .then(resolve, reject)
      .finally(() => signal.removeEventListener("abort", end));
  });
}

/** Waits for `work`, at most `ms`. Resolves to whether it was done in time. A rejection of `work` passes through. */
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
