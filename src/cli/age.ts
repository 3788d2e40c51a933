const units = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["min", 60_000],
] as const;

/** A time span in its largest unit, rounded down: `3 h`. */
export function ageText(ms: number): string {
  for (const [unit, unitMs] of units) {
    if (ms >= unitMs) return `${Math.floor(ms / unitMs)} ${unit}`;
  }
  return `${Math.max(0, Math.floor(ms / 1_000))} s`;
}
