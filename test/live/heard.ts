import { within } from "./within.ts";

/** What has been heard so far, and a way to wait for what has not. */
export interface Heard<T> {
  /** Oldest first. */
  readonly items: readonly T[];
  add(item: T): void;
  /**
   * The first item that matches, among those heard and those to come; not among the oldest `after`
   * ones. `what` names it in the error. Rejects when it has not come after five minutes.
   */
  when(what: string, matches: (item: T) => boolean, after?: number): Promise<T>;
}

// The Gateway holds a wake back for up to a minute, and is slow on a busy machine.
const TIMEOUT_MS = 300_000;

export function createHeard<T>(): Heard<T> {
  const items: T[] = [];
  const waiting = new Set<(item: T) => void>();
  const next = (matches: (item: T) => boolean): Promise<T> =>
    new Promise((resolve) => {
      const check = (item: T): void => {
        if (!matches(item)) return;
        waiting.delete(check);
        resolve(item);
      };
      waiting.add(check);
    });
  return {
    items,
    add(item) {
      items.push(item);
      for (const check of [...waiting]) check(item);
    },
    async when(what, matches, after = 0) {
      const known = items.slice(after).find(matches);
      return known ?? within(TIMEOUT_MS, what, next(matches));
    },
  };
}
