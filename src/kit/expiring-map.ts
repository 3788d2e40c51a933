import { type Clock, MAX_DELAY_MS, neverBack } from "./clock.ts";
import { Queue } from "./queue.ts";
import { startTimer, type Timer } from "./timer.ts";

interface Aged<V> {
  readonly key: string;
  readonly value: V;
  readonly at: number;
}

/** Bounds of an {@link ExpiringMap}. */
export interface ExpiringMapOptions<V> {
  /** How long an entry is remembered, in ms. With `0` nothing is. */
  readonly windowMs: number;
  /** The most entries. One more evicts the oldest. */
  readonly maxKeys: number;
  /**
   * The largest total size of the values, measured by `sizeOf`. Beyond it the oldest are evicted. Default: no limit.
   */
  readonly maxSize?: number;
  readonly sizeOf?: (value: V) => number;
  readonly clock: Clock;
  /** Called for each entry that is evicted before its time. */
  readonly onEvict?: () => void;
}

/** How many replaced or deleted entries the queue may hold, beyond the number of its other entries. */
const SPARE_ENTRIES = 64;

/**
 * Remembers a value per key for a while. Each key expires by itself, counted from when it was last set. Every operation
 * takes constant time, amortized, and at most twice `maxKeys` entries are kept. A timer removes what has expired when
 * nothing else happens; it keeps no process alive.
 */
export class ExpiringMap<V> {
  /** In the order in which they were set. */
  private readonly entries = new Map<string, Aged<V>>();
  /**
   * The same entries, and some that have been replaced or deleted since. To find the oldest entry of a Map would be a
   * search.
   */
  private byAge = new Queue<Aged<V>>();
  private readonly options: ExpiringMapOptions<V>;
  private readonly now: () => number;
  private timer: Timer | undefined;
  /** The size of all values together. */
  private total = 0;

  constructor(options: ExpiringMapOptions<V>) {
    this.options = options;
    this.now = neverBack(options.clock);
  }

  get size(): number {
    return this.entries.size;
  }

  get(key: string): V | undefined {
    // This is called for each message. In an empty map, hashing a new key would cost more than this check.
    if (this.entries.size === 0) return undefined;
    const entry = this.entries.get(key);
    if (entry === undefined || this.aged(entry, this.now())) return undefined;
    return entry.value;
  }

  set(key: string, value: V): void {
    const { clock, maxKeys, maxSize = Number.POSITIVE_INFINITY, sizeOf, windowMs, onEvict } = this.options;
    if (windowMs <= 0) return;
    const now = this.now();
    const entry = { key, value, at: now };
    if (sizeOf !== undefined) this.remove(key);
    const { size } = this.entries;
    this.entries.set(key, entry);
    // Nearly every key is new, so it is not looked up before. A key that was there has kept its old place.
    if (this.entries.size === size) {
      this.entries.delete(key);
      this.entries.set(key, entry);
    }
    this.byAge.push(entry);
    this.total += sizeOf?.(value) ?? 0;
    this.forgetAged(now);
    while (this.entries.size > maxKeys || this.total > maxSize) if (this.forgetOldest()) onEvict?.();
    this.forgetReplaced();
    this.timer ??= startTimer(clock, Math.min(windowMs, MAX_DELAY_MS), () => this.sweep());
  }

  /** Every value that has not expired, oldest first. */
  *values(): Generator<V> {
    const now = this.now();
    for (const entry of this.entries.values()) if (!this.aged(entry, now)) yield entry.value;
  }

  delete(key: string): void {
    if (this.remove(key)) this.forgetReplaced();
  }

  /** Forgets everything and stops the timer. */
  clear(): void {
    this.entries.clear();
    this.total = 0;
    this.byAge = new Queue();
    this.timer?.cancel();
    this.timer = undefined;
  }

  private aged(entry: Aged<V>, now: number): boolean {
    return now - entry.at >= this.options.windowMs;
  }

  private forgetAged(now: number): void {
    for (let oldest = this.byAge.peek(); oldest !== undefined; oldest = this.byAge.peek()) {
      if (!this.aged(oldest, now)) return;
      this.forgetOldest();
    }
  }

  /** Returns false when the oldest had been replaced or deleted already. */
  private forgetOldest(): boolean {
    const oldest = this.byAge.shift();
    if (oldest === undefined || this.entries.get(oldest.key) !== oldest) return false;
    this.drop(oldest);
    return true;
  }

  private remove(key: string): boolean {
    const entry = this.entries.get(key);
    if (entry === undefined) return false;
    this.drop(entry);
    return true;
  }

  private drop(entry: Aged<V>): void {
    this.total -= this.options.sizeOf?.(entry.value) ?? 0;
    this.entries.delete(entry.key);
  }

  /** Needed because one old entry that stays would keep all the entries behind it in the queue, replaced ones too. */
  private forgetReplaced(): void {
    if (this.byAge.size <= 2 * this.entries.size + SPARE_ENTRIES) return;
    this.byAge = new Queue();
    for (const entry of this.entries.values()) this.byAge.push(entry);
  }

  private sweep(): void {
    const { clock, windowMs } = this.options;
    this.timer = undefined;
    const now = this.now();
    this.forgetAged(now);
    const oldest = this.byAge.peek();
    if (oldest === undefined) return;
    const waitMs = Math.max(1, oldest.at + windowMs - now);
    this.timer = startTimer(clock, Math.min(waitMs, MAX_DELAY_MS), () => this.sweep());
  }
}
