/** How long to wait after a failure, in ms. `failures` counts from 1. */
export type Backoff = (failures: number) => number;

/** The wait doubles from `firstMs` with each failure, up to `maxMs`. */
export function exponential(firstMs: number, maxMs: number): Backoff {
  // 2 ** 1024 is Infinity, and 0 times Infinity is NaN.
  return (failures) => Math.min(maxMs, firstMs * 2 ** Math.min(failures - 1, 1_000));
}
