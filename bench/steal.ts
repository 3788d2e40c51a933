import { readFileSync } from "node:fs";

/** The index of the stolen time in {@link cpuTimes}. */
const STEAL = 7;

/**
 * The share of time that the machine's host gave to other machines since `before`, in percent. Undefined when the
 * system does not say.
 */
export function stolenSince(before: readonly number[] | undefined): number | undefined {
  const now = cpuTimes();
  if (before === undefined || now === undefined) return undefined;
  const spent = now.map((time, i) => time - (before[i] ?? 0));
  return (100 * (spent[STEAL] ?? 0)) / spent.slice(0, STEAL + 1).reduce((sum, time) => sum + time, 0);
}

/** user, nice, system, idle, iowait, irq, softirq, steal, ...; known on Linux only. */
export function cpuTimes(): number[] | undefined {
  try {
    return readFileSync("/proc/stat", "utf8").split("\n", 1)[0]?.trim().split(/\s+/).slice(1).map(Number);
  } catch {
    return undefined;
  }
}
