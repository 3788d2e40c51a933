import type { ProactiveMessage } from "../../types.ts";
import { DEAD_LETTERS_PAGE, type DeadLetterPage, type LedgerEntry } from "../ledger.ts";
import type { Damage } from "../sql/damage.ts";
import { entriesOf, entryOf, keyOf, type MessageRow } from "../sql/rows.ts";
import type { Step } from "./connection.ts";
import type { Unsaved, UnsavedEntry } from "./unsaved.ts";

export interface DeadLettersOptions {
  readonly unsaved: Unsaved;
  readonly damage: Damage;
  readonly file: string;
  readonly now: () => number;
  /** Rejects with `ERR_INBOX_LEDGER` when the file cannot be read or written. */
  readonly read: (job: readonly Step[]) => Promise<readonly object[]>;
  readonly change: (job: readonly Step[]) => Promise<readonly object[]>;
}

/** The dead letters of a ledger file, and those that are dead only in memory. */
export class DeadLetters {
  private readonly options: DeadLettersOptions;
  /** Dead letters that were revived in memory. */
  private revived: LedgerEntry[] = [];

  constructor(options: DeadLettersOptions) {
    this.options = options;
  }

  /** Those in memory are newer than those in the file. */
  async page({
    limit = DEAD_LETTERS_PAGE,
    after,
    newestFirst = false,
  }: DeadLetterPage = {}): Promise<readonly LedgerEntry[]> {
    const unsaved = await this.unsavedLetters();
    if (newestFirst) unsaved.reverse();
    const inMemory = unsaved.findIndex(({ message }) => message.id === after);
    if (!newestFirst) {
      if (inMemory >= 0) return unsaved.slice(inMemory + 1, inMemory + 1 + limit);
      const letters = await this.inFile(limit, after, "deadLetters", "deadLettersAfter");
      return [...letters, ...unsaved.slice(0, limit - letters.length)];
    }
    const isInFile = after !== undefined && inMemory < 0;
    const letters = isInFile ? [] : unsaved.slice(inMemory + 1, inMemory + 1 + limit);
    const from = isInFile ? after : undefined;
    const older = await this.inFile(limit - letters.length, from, "newestDeadLetters", "deadLettersBefore");
    return [...letters, ...older];
  }

  /** A page of those in the file. `first` begins a list, and `next` continues it after an id. */
  private async inFile(
    limit: number,
    after: string | undefined,
    first: "deadLetters" | "newestDeadLetters",
    next: "deadLettersAfter" | "deadLettersBefore",
  ): Promise<readonly LedgerEntry[]> {
    const letters: LedgerEntry[] = [];
    // A page may have rows that cannot be read.
    for (let from = after === undefined ? undefined : keyOf(after); letters.length < limit; ) {
      const count = limit - letters.length;
      const rows = await this.read(from === undefined ? [first, [count]] : [next, [from, count]]);
      const oldestFirst = this.entriesOf(rows);
      letters.push(...(first === "deadLetters" ? oldestFirst : oldestFirst.toReversed()));
      if (rows.length < count) break;
      from = rows.at(-1)?.id as string;
    }
    return letters;
  }

  async find(id: string): Promise<LedgerEntry | undefined> {
    const unsaved = this.options.unsaved.get(id);
    if (unsaved !== undefined) return unsaved.state === "dead" ? this.unsavedLetter(unsaved) : undefined;
    return this.entriesOf(await this.read(["deadLetter", [keyOf(id)]]))[0];
  }

  /** Resolves to false when there is none with this id. */
  async revive(id: string): Promise<boolean> {
    const { unsaved, change, now } = this.options;
    const entry = unsaved.get(id);
    if (entry === undefined) return (await change([["revive", [keyOf(id), now()]]])).length > 0;
    const letter = entry.state === "dead" ? await this.unsavedLetter(entry) : undefined;
    if (letter === undefined) return false;
    const { error: _, ...rest } = entry;
    unsaved.set({ ...rest, state: "taken", attempts: 0, at: now() });
    this.revived.push({ message: letter.message, state: "taken", attempts: 0, at: now() });
    return true;
  }

  /** Dead letters that were revived in memory, for the next `claim`. */
  takeRevived(limit: number): LedgerEntry[] {
    return this.revived.splice(0, limit);
  }

  /** Resolves to false when there is none with this id. */
  async drop(id: string): Promise<boolean> {
    const { unsaved, change, now } = this.options;
    const entry = unsaved.get(id);
    if (entry === undefined) return (await change([["drop", [keyOf(id), now()]]])).length > 0;
    if (entry.state !== "dead") return false;
    unsaved.set({ ...entry, state: "delivered", at: now() });
    return true;
  }

  private async read(step: Step): Promise<readonly MessageRow[]> {
    return (await this.options.read([step])) as readonly MessageRow[];
  }

  private entriesOf(rows: readonly MessageRow[]): readonly LedgerEntry[] {
    const { entries, unreadable } = entriesOf(rows);
    this.options.damage.unreadable(unreadable, `in the ledger ${this.options.file}`);
    return entries;
  }

  /** The dead letters that are not recorded as dead in the file. */
  private async unsavedLetters(): Promise<LedgerEntry[]> {
    const letters = await Promise.all(this.options.unsaved.dead().map((entry) => this.unsavedLetter(entry)));
    return letters.filter((letter) => letter !== undefined);
  }

  private async unsavedLetter({
    id,
    state,
    attempts,
    at,
    error,
    ...entry
  }: UnsavedEntry): Promise<LedgerEntry | undefined> {
    const message = entry.message ?? (await this.messageOf(id));
    return message && { message, state, attempts, at, ...(error !== undefined && { error }) };
  }

  private async messageOf(id: string): Promise<ProactiveMessage | undefined> {
    const [row] = await this.read(["message", [keyOf(id)]]);
    return row && entryOf(row)?.message;
  }
}
