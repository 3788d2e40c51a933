import { type Clock, MAX_DELAY_MS } from "../kit/clock.ts";
import { startTimer, type Timer } from "../kit/timer.ts";

/** Numbers take less memory than strings. */
export type Key = string | number;

/** Bounds of {@link RecentKeys}. */
export interface RecentKeysOptions {
  /** How long a key is remembered, in ms. More than 0. */
  readonly windowMs: number;
  /** The most keys. One more evicts the oldest. */
  readonly maxKeys: number;
  readonly clock: Clock;
  /** Called each time a key is forgotten before its time. */
  readonly onEvict?: () => void;
}

interface Group {
  readonly name: string;
  readonly keys: Set<Key>;
}

const FIRST_ROOM = 64;

/**
 * Remembers keys for a while, each from when it was added. A key belongs to a group; keys of different groups are
 * different. A key is stored in its group's set and in a ring, in order of age. The ring is reused. So hundreds of
 * thousands of keys a minute leave almost nothing for the garbage collector, which would otherwise be the largest cost.
 */
export class RecentKeys {
  private readonly options: RecentKeysOptions;
  private readonly groups = new Map<string, Group>();
  /** The ring: `size` places from `oldest` on are in use. After the last place comes the first. */
  private ringGroups: (Group | undefined)[] = new Array(FIRST_ROOM).fill(undefined);
  private ringKeys: Key[] = new Array(FIRST_ROOM).fill(0);
  private ringTimes = new Float64Array(FIRST_ROOM);
  private oldest = 0;
  private size = 0;
  private newestAt = Number.NEGATIVE_INFINITY;
  /** How far the clock was set back in all, in ms. The times in the ring are counted without that. */
  private backMs = 0;
  private timer: Timer | undefined;

  constructor(options: RecentKeysOptions) {
    this.options = options;
  }

  /**
   * Remembers a key of a group from `at` on. Returns false when it is remembered already; its time then does not start
   * again.
   */
  add(groupName: string, key: Key, at: number): boolean {
    const { clock, windowMs, maxKeys, onEvict } = this.options;
    const now = Math.max(at + this.backMs, this.newestAt);
    // The clock was set back. Without this, every key would be remembered for that much longer.
    this.backMs = now - at;
    this.forgetAged(now);
    const group = this.groups.get(groupName) ?? this.open(groupName);
    if (group.keys.has(key)) return false;
    group.keys.add(key);
    this.push(group, key, now);
    if (this.size > maxKeys) {
      this.forgetOldest();
      onEvict?.();
    }
    this.timer ??= startTimer(clock, Math.min(windowMs, MAX_DELAY_MS), () => this.sweep());
    return true;
  }

  /** Forgets everything and stops the timer. */
  clear(): void {
    while (this.size > 0) this.forgetOldest();
    this.timer?.cancel();
    this.timer = undefined;
  }

  private open(name: string): Group {
    const group = { name, keys: new Set<Key>() };
    this.groups.set(name, group);
    return group;
  }

  private push(group: Group, key: Key, at: number): void {
    if (this.size === this.ringGroups.length) this.grow();
    // The capacity is a power of two.
    const place = (this.oldest + this.size) & (this.ringGroups.length - 1);
    this.ringGroups[place] = group;
    this.ringKeys[place] = key;
    this.ringTimes[place] = at;
    this.size += 1;
    this.newestAt = at;
  }

  private grow(): void {
    const { ringGroups, ringKeys, ringTimes, oldest, size } = this;
    const from = <T>(ring: readonly T[], empty: T): T[] => [
      ...ring.slice(oldest),
      ...ring.slice(0, oldest),
      ...new Array<T>(size).fill(empty),
    ];
    this.ringGroups = from(ringGroups, undefined);
    this.ringKeys = from(ringKeys, 0);
    this.ringTimes = new Float64Array(size * 2);
    this.ringTimes.set(ringTimes.subarray(oldest));
    this.ringTimes.set(ringTimes.subarray(0, oldest), size - oldest);
    this.oldest = 0;
  }

  /** Frees the memory that a flood needed. */
  private shrink(): void {
    this.ringGroups = new Array(FIRST_ROOM).fill(undefined);
    this.ringKeys = new Array(FIRST_ROOM).fill(0);
    this.ringTimes = new Float64Array(FIRST_ROOM);
    this.oldest = 0;
  }

  private forgetAged(now: number): void {
    const { windowMs } = this.options;
    while (this.size > 0 && now - (this.ringTimes[this.oldest] as number) >= windowMs) this.forgetOldest();
  }

  private forgetOldest(): void {
    const { name, keys } = this.ringGroups[this.oldest] as Group;
    keys.delete(this.ringKeys[this.oldest] as Key);
    if (keys.size === 0) this.groups.delete(name);
    this.ringGroups[this.oldest] = undefined;
    this.ringKeys[this.oldest] = 0;
    this.oldest = (this.oldest + 1) & (this.ringGroups.length - 1);
    this.size -= 1;
  }

  private sweep(): void {
    const { clock, windowMs } = this.options;
    const now = clock.now() + this.backMs;
    this.timer = undefined;
    this.forgetAged(now);
    if (this.size === 0) return this.shrink();
    const waitMs = Math.max(1, (this.ringTimes[this.oldest] as number) + windowMs - now);
    this.timer = startTimer(clock, Math.min(waitMs, MAX_DELAY_MS), () => this.sweep());
  }
}
