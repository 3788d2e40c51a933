import type { MonoTypeOperatorFunction } from "rxjs";
import { Observable } from "rxjs/internal/Observable";
import { assertKnownKeys, optionError } from "../errors.ts";
import { type Clock, systemClock } from "../kit/clock.ts";
import { RecentKeys } from "./recent-keys.ts";

/** Options of {@link distinctWithin}. */
export interface DistinctWithinOptions<T> {
  /** What makes two values the same; a number costs less than a string. Undefined: this value is never taken for a repeat. */
  readonly key: (value: T) => string | number | undefined;
  /**
   * Values of different groups are never the same. Where many values have much of their key in
   * common, that part is kept once when it is the group. Default: all are of one group.
   */
  readonly group?: (value: T) => string;
  /**
   * How long a key is remembered, in ms. A repeat inside the window is dropped; one after it passes,
   * and opens a window of its own. Sliding: each key ages by itself, from the value that passed; a
   * dropped repeat does not make it younger. `0` drops nothing.
   */
  readonly windowMs: number;
  /** When a value came, in ms by `clock`, for a host that has read the time already. Default: when it gets here. */
  readonly at?: (value: T) => number;
  /** How many keys are remembered at most, from 1; one more forgets the oldest. Default 100,000. */
  readonly maxKeys?: number;
  /** Default: the system's. */
  readonly clock?: Clock;
  /** Told of each value that was dropped. */
  readonly onDuplicate?: (value: T) => void;
  /** Told each time a key was forgotten before its time because of `maxKeys`. */
  readonly onEvict?: () => void;
}

const KNOWN = ["key", "group", "windowMs", "at", "maxKeys", "clock", "onDuplicate", "onEvict"];

/**
 * Drops values whose key was seen within the last `windowMs`. RxJS's own `distinct(key, flushes)`
 * forgets everything at each flush, so a repeat that straddles one passes; this forgets key by key.
 * Each value costs constant time, amortized.
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
