import type { MonoTypeOperatorFunction } from "rxjs";
import { Observable } from "rxjs/internal/Observable";
import { assertKnownKeys, optionError } from "../errors.ts";
import { type Clock, systemClock } from "../kit/clock.ts";
import { RecentKeys } from "./recent-keys.ts";

/** Options of {@link distinctWithin}. */
export interface DistinctWithinOptions<T> {
  /**
   * Two values with the same key are repeats. Numbers cost less than strings. Undefined: this value is never a repeat.
   */
  readonly key: (value: T) => string | number | undefined;
  /**
   * Values of different groups are never repeats of each other. If many keys share a long part, make that part the
   * group: it is then stored once. Default: one group for all.
   */
  readonly group?: (value: T) => string;
  /**
   * How long a key is remembered, in ms. A repeat within the window is dropped. A value after it passes and starts a
   * new window. Each key has its own window, which starts at the value that passed; a dropped repeat does not extend
   * it. `0` drops nothing.
   */
  readonly windowMs: number;
  /**
   * When a value came, in ms by `clock`, for a host that has read the time already. Default: when the operator gets it.
   */
  readonly at?: (value: T) => number;
  /** The most keys that are remembered, at least 1. One more evicts the oldest. Default 100,000. */
  readonly maxKeys?: number;
  /** Default: the system's clock. */
  readonly clock?: Clock;
  /** Called with each dropped value. */
  readonly onDuplicate?: (value: T) => void;
  /** Called each time a key is forgotten before its time because of `maxKeys`. */
  readonly onEvict?: () => void;
}

const KNOWN = ["key", "group", "windowMs", "at", "maxKeys", "clock", "onDuplicate", "onEvict"];

/**
 * Drops a value whose key was seen within the last `windowMs`. RxJS's `distinct(key, flushes)` forgets all keys at each
 * flush, so it passes a repeat that comes just after one. This operator forgets key by key. Each value costs constant
 * time, amortized.
 *
 * @example
 * events$.pipe(distinctWithin({ key: (event) => event.id, windowMs: 30_000 })).subscribe(handle);
 *
 * @throws {InboxError} `ERR_INBOX_OPTION` for a wrong option.
 */
export function distinctWithin<T>(options: DistinctWithinOptions<T>): MonoTypeOperatorFunction<T> {
  const {
    key: keyOf,
    group: groupOf,
    windowMs,
    maxKeys = 100_000,
    clock = systemClock,
    at = () => clock.now(),
    onDuplicate,
    onEvict,
  } = options;
  assertKnownKeys("distinctWithin", options, KNOWN);
  if (typeof keyOf !== "function") throw optionError("key", "a function", keyOf);
  if (!(windowMs >= 0)) throw optionError("windowMs", "a number >= 0", windowMs);
  if (!Number.isInteger(maxKeys) || maxKeys < 1) throw optionError("maxKeys", "an integer >= 1", maxKeys);
  return (source$) =>
    new Observable((subscriber) => {
      const recent = new RecentKeys({ windowMs, maxKeys, clock, ...(onEvict && { onEvict }) });
      const subscription = source$.subscribe({
        next(value) {
          const key = keyOf(value);
          const group = groupOf === undefined ? "" : groupOf(value);
          if (key === undefined || windowMs === 0 || recent.add(group, key, at(value))) subscriber.next(value);
          else onDuplicate?.(value);
        },
        error: (error) => subscriber.error(error),
        complete: () => subscriber.complete(),
      });
      return () => {
        subscription.unsubscribe();
        recent.clear();
      };
    });
}
