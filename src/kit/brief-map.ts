/**
 * A map of what is kept briefly. V8 keeps the old tables of a busy `Map`, and all values in them, until the next full
 * collection. So this one starts with a new `Map` each time it is empty.
 */
export class BriefMap<K, V> {
  private map = new Map<K, V>();

  get size(): number {
    return this.map.size;
  }

  has(key: K): boolean {
    return this.map.has(key);
  }

  get(key: K): V | undefined {
    return this.map.get(key);
  }

  set(key: K, value: V): void {
    this.map.set(key, value);
  }

  /** Returns whether there was such a key. */
  delete(key: K): boolean {
    if (!this.map.delete(key)) return false;
    if (this.map.size === 0) this.clear();
    return true;
  }

  clear(): void {
    this.map = new Map();
  }

  keys(): Iterable<K> {
    return this.map.keys();
  }

  values(): Iterable<V> {
    return this.map.values();
  }
}
