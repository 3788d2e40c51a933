import type { ProactiveMessage } from "../../types.ts";
import type { LedgerState } from "../ledger.ts";

/** A message of which memory knows more than the file. */
export interface UnsavedEntry {
  readonly id: string;
  /** The message, if the file does not have it. */
  readonly message?: ProactiveMessage;
  readonly state: LedgerState;
  readonly attempts: number;
  readonly at: number;
  readonly error?: string;
}

/** The content of a report. */
export type Report = Pick<UnsavedEntry, "state" | "attempts" | "at" | "error">;

/** What could not be written yet: by id, oldest first. */
export class Unsaved {
  readonly cursors = new Map<string, string>();
  readonly solicited = new Map<string, number>();
  private readonly entries = new Map<string, UnsavedEntry>();
  private readonly delivered = new Set<string>();
  private readonly maxDelivered: number;

  constructor(maxDelivered: number) {
    this.maxDelivered = maxDelivered;
  }

  get size(): number {
    return this.entries.size + this.cursors.size + this.solicited.size;
  }

  get(id: string): UnsavedEntry | undefined {
    return this.entries.get(id);
  }

  /** Everything that was `dead` when it could not be written. */
  dead(): UnsavedEntry[] {
    return [...this.entries.values()].filter(({ state }) => state === "dead");
  }

  /** A message that is delivered from memory. */
  take(message: ProactiveMessage, at: number): void {
    this.set({ id: message.id, message, state: "taken", attempts: 0, at });
  }

  /** Stores a report. A report about a message that is delivered or dead already has no effect. */
  report(id: string, report: Report): void {
    const before = this.entries.get(id);
    if (before !== undefined && before.state !== "taken") return;
    this.set({ id, ...(before?.message && { message: before.message }), ...report });
  }

  /** Changes an entry in any state. */
  set(entry: UnsavedEntry): void {
    const { id, state } = entry;
    this.entries.set(id, entry);
    if (state !== "delivered") return void this.delivered.delete(id);
    this.delivered.add(id);
    if (this.delivered.size <= this.maxDelivered) return;
    const [oldest] = this.delivered as Iterable<string> as [string];
    this.delivered.delete(oldest);
    this.entries.delete(oldest);
  }

  /** The oldest entries. */
  first(count: number): UnsavedEntry[] {
    const first: UnsavedEntry[] = [];
    for (const entry of this.entries.values()) {
      if (first.length === count) break;
      first.push(entry);
    }
    return first;
  }

  /** The entry is in the file, unless it has changed since then. */
  saved(entry: UnsavedEntry): void {
    if (this.entries.get(entry.id) !== entry) return;
    this.entries.delete(entry.id);
    this.delivered.delete(entry.id);
  }
}
