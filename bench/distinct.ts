import { distinct, filter, type MonoTypeOperatorFunction, Subject } from "rxjs";
import { distinctWithin } from "../src/index.ts";
import { type Cost, Stopwatch } from "./stopwatch.ts";

/** What to measure in one process. */
export interface DistinctTask {
  readonly rival: "distinctWithin" | "distinctWithin by group" | "distinct with flush" | "naive filter";
  /** How many keys fall into the window. */
  readonly keys: number;
  readonly events: number;
}

export interface Distinct extends Cost {
  /** How much memory the operator holds when it is full, in bytes per key. */
  readonly bytesPerKey: number;
  /** Repeats inside the window that were passed. There should be none. */
  readonly missed: number;
  readonly repeats: number;
}

const WINDOW_MS = 30_000;
/** Every tenth event repeats one of the last window. */
const REPEAT_EVERY = 10;

/** A million keys in the window: new keys at even times, and every tenth event a repeat. */
export async function measureDistinct({ rival, keys, events }: DistinctTask): Promise<Distinct> {
  let now = 0;
  const clock = { now: () => now, setTimeout: () => 1, clearTimeout() {} };
  const values = new Subject<string>();
  const flushes = new Subject<void>();
  const naive = (): MonoTypeOperatorFunction<string> => {
    let seen: { readonly key: string; readonly at: number }[] = [];
    return filter((key) => {
      seen = seen.filter(({ at }) => now - at < WINDOW_MS);
      if (seen.some((entry) => entry.key === key)) return false;
      seen.push({ key, at: now });
      return true;
    });
  };
  const options = { windowMs: WINDOW_MS, maxKeys: keys * 2, clock };
  const operators: Record<DistinctTask["rival"], () => MonoTypeOperatorFunction<string>> = {
    distinctWithin: () => distinctWithin({ ...options, key: (value) => value }),
    "distinctWithin by group": () =>
      distinctWithin({ ...options, group: (value) => value.slice(0, 36), key: (value) => Number(value.slice(37)) }),
    "distinct with flush": () => distinct((value) => value, flushes),
    "naive filter": naive,
  };
  let passed = 0;
  values.pipe(operators[rival]()).subscribe(() => (passed += 1));

  const stopwatch = new Stopwatch();
  const stepMs = WINDOW_MS / keys;
  let nextFlush = WINDOW_MS;
  let fresh = 0;
  let repeats = 0;
  async function play(count: number): Promise<void> {
    const batch: string[] = [];
    for (let i = 0; i < count; i++) {
      const isRepeat = i % REPEAT_EVERY === REPEAT_EVERY - 1 && fresh > keys / 2;
      // Half a window back. Such a key is still remembered, and sometimes there was a flush in between.
      batch.push(keyOf(isRepeat ? fresh - Math.floor(keys / 2) : fresh++));
      if (isRepeat) repeats += 1;
    }
    await stopwatch.time(() => {
      for (const value of batch) {
        now += stepMs;
        if (now >= nextFlush) {
          flushes.next();
          nextFlush += WINDOW_MS;
        }
        values.next(value);
      }
    });
  }

  globalThis.gc?.();
  const before = process.memoryUsage();
  for (let done = 0; done < keys; done += 10_000) await play(Math.min(10_000, keys));
  globalThis.gc?.();
  const after = process.memoryUsage();
  const bytesPerKey = (after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers) / keys;
  stopwatch.reset();
  for (let done = 0; done < events; done += 10_000) await play(Math.min(10_000, events));
  return { ...stopwatch.per(events), bytesPerKey, missed: passed - fresh, repeats };
}

/** As long as a run id with state and `seq`. Each run has a hundred keys. */
function keyOf(i: number): string {
  const run = String(Math.floor(i / 100)).padStart(12, "0");
  return Buffer.from(`5ad1c2f0-9c3e-4d17-8a52-${run}/${i % 100}`).toString("latin1");
}
