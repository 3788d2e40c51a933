/** How long to wait after a failure, in ms; `failures` are counted from 1. */
export type Backoff = (failures: number) => number;

/** Doubles from `firstMs` with each failure, and never goes beyond `maxMs`. */
export function exponential(firstMs: number, maxMs: number): Backoff {
  // 2 ** 1024 is Infinity, and 0 times that is no number.
  return (failures) => Math.min(maxMs, firstMs * 2 ** Math.min(failures - 1, 1_000));
}
