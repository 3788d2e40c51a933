import type { TimelineEntry } from "./update.ts";

/** Entries that are kept from the beginning of a timeline, however long it gets. */
const KEPT_FIRST = 4;

/** What happened to one run, bounded: the first few entries and the latest ones. */
export class Timeline {
  private readonly kept: TimelineEntry[] = [];
  /** Entries that were let go. */
  dropped = 0;

  /** Adds an entry; beyond `limit` of them (more than the first few), the oldest after the first few is let go. */
  add(entry: TimelineEntry, limit: number): void {
    this.kept.push(entry);
    const excess = this.kept.length - Math.max(limit, KEPT_FIRST + 1);
    if (excess <= 0) return;
    this.kept.splice(KEPT_FIRST, excess);
    this.dropped += excess;
  }

  get entries(): readonly TimelineEntry[] {
    return this.kept;
  }

  /** How many of the entries come before those that were let go. */
  static readonly keptFirst = KEPT_FIRST;
}
