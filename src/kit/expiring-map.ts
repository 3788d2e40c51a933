import { type Clock, MAX_DELAY_MS } from "./clock.ts";
import { Queue } from "./queue.ts";

interface Aged<V> {
  readonly key: string;
  readonly value: V;
  readonly at: number;
}

/** Bounds of an {@link ExpiringMap}. */
export interface ExpiringMapOptions {
  /** How long an entry is remembered, in ms. `0` remembers nothing. */
  readonly windowMs: number;
  /** How many entries at most; one more forgets the oldest. */
  readonly maxKeys: number;
  readonly clock: Clock;
  /** Told each time an entry is forgotten before its time. */
  readonly onEvict?: () => void;
}

/**
 * Remembers a value per key for a while. Each key ages by itself, from when it was last set; all
 * operations take constant time, amortized. A timer (which keeps no process alive) lets go of what
 * has aged when nothing else happens.
 */
export class ExpiringMap<V> {
  private readonly entries = new Map<string, Aged<V>>();
  private readonly byAge = new Queue<Aged<V>>();
  private readonly options: ExpiringMapOptions;
  private timer: unknown;

  constructor(options: ExpiringMapOptions) {
    this.options = options;
  }

  get size(): number {
    return this.entries.size;
  }

  get(key: string): V | undefined {
    const entry = this.entries.get(key);
    if (entry === undefined || this.aged(entry, this.options.clock.now())) return undefined;
    return entry.value;
  }

  set(key: string, value: V): void {
    const { clock, maxKeys, windowMs, onEvict } = this.options;
    if (windowMs <= 0) return;
    const now = clock.now();
    const entry = { key, value, at: now };
    this.entries.delete(key);
    this.entries.set(key, entry);
    this.byAge.push(entry);
    this.forgetAged(now);
    while (this.entries.size > maxKeys) if (this.forgetOldest()) onEvict?.();
    this.timer ??= clock.setTimeout(() => this.sweep(), Math.min(windowMs, MAX_DELAY_MS));
  }

  /** Every value that has not aged, oldest first. */
  values(): V[] {
    const now = this.options.clock.now();
    return [...this.entries.values()].filter((entry) => !this.aged(entry, now)).map(({ value }) => value);
  }

  delete(key: string): void {
    this.entries.delete(key);
  }

  /** Forgets everything and stops the timer. */
  clear(): void {
    this.entries.clear();
    while (this.byAge.shift() !== undefined);
    if (this.timer !== undefined) this.options.clock.clearTimeout(this.timer as never);
    this.timer = undefined;
  }

  private aged(entry: Aged<V>, now: number): boolean {
    return now - entry.at >= this.options.windowMs;
  }

  private forgetAged(now: number): void {
    for (let oldest = this.byAge.peek(); oldest !== undefined; oldest = this.byAge.peek()) {
      const replaced = this.entries.get(oldest.key) !== oldest;
      if (!replaced && !this.aged(oldest, now)) return;
      this.forgetOldest();
    }
  }

  /** False when the oldest had been replaced or deleted already. */
  private forgetOldest(): boolean {
    const oldest = this.byAge.shift();
    return oldest !== undefined && this.entries.get(oldest.key) === oldest && this.entries.delete(oldest.key);
  }

  private sweep(): void {
    const { clock, windowMs } = this.options;
    this.timer = undefined;
    this.forgetAged(clock.now());
    const oldest = this.byAge.peek();
    if (oldest === undefined) return;
    const waitMs = Math.max(1, oldest.at + windowMs - clock.now());
    this.timer = clock.setTimeout(() => this.sweep(), Math.min(waitMs, MAX_DELAY_MS));
  }
}
