/** The median of several measurements, and their range. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  const median = sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? upper)) / 2;
  return { median, min: sorted[0] ?? Number.NaN, max: sorted.at(-1) ?? Number.NaN };
}

/** The ratios of measurements from the same round. */
export function ratios<T>(above: readonly T[], below: readonly T[], of: (value: T) => number): Spread {
  return spread(above.map((value, round) => of(value) / of(below[round] as T)));
}

/** Three significant digits. More would be noise. */
export function digits(value: number): string {
  if (!Number.isFinite(value)) return "-";
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString("en-US");
  return String(Number(value.toPrecision(3)));
}

export function withSpread({ median, min, max }: Spread, unit = ""): string {
  return `${digits(median)}${unit} (${digits(min)} to ${digits(max)})`;
}
