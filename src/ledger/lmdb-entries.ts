import { errorText, InboxError } from "../errors.ts";
import type { ProactiveMessage } from "../types.ts";
import type { LedgerEntry } from "./ledger.ts";
import type { EntryRecord, LedgerFile, LedgerTables, SettledKind, TakenRow } from "./lmdb-file.ts";
import { keyOf } from "./lmdb-key.ts";

/** A message that this ledger took on or claimed, as it is in memory: what the file should say. */
export interface HeldEntry extends LedgerEntry {
  readonly id: string;
  readonly order: number;
}

/** Longer errors are cut: they are for a person, and a handler may put anything into them. */
const MAX_ERROR_CHARS = 1_000;

function recordOf(entry: HeldEntry, holder: number): EntryRecord {
  const { state, attempts, at, order, error } = entry;
  return {
    state,
    attempts,
    at,
    order,
    ...(state === "taken" ? { holder } : {}),
    ...(error === undefined ? {} : { error: error.slice(0, MAX_ERROR_CHARS) }),
  };
}

/** The kind of row by which a settled entry ages. */
function settledKind(state: EntryRecord["state"]): SettledKind {
  return state === "dead" ? 2 : 1;
}

function putTaken(tables: LedgerTables, key: string, record: EntryRecord, message: string, holder: number): void {
  tables.entries.put(key, record);
  tables.messages.put(key, message);
  tables.taken.put([holder, record.order, key], true);
}

/** Replaces a `taken` entry by a settled one. The text of a dead letter stays. */
function putSettled(tables: LedgerTables, key: string, record: EntryRecord, row: TakenRow): void {
  tables.entries.put(key, record);
  tables.taken.remove(row);
  tables.settled.put([settledKind(record.state), record.at, key], true);
  if (record.state !== "dead") tables.messages.remove(key);
}

/**
 * A message as it is stored.
 *
 * @throws {InboxError} `ERR_INBOX_OPTION` when its session holds what JSON cannot.
 */
export function encodeMessage(message: ProactiveMessage): string {
  try {
    return JSON.stringify(message);
  } catch (error) {
    throw new InboxError(
      "ERR_INBOX_OPTION",
      `Expected \`session\` to return what JSON can hold: ${errorText(error)}`,
      { option: "session" },
      error,
    );
  }
}

function decodeMessage(text: string | undefined): ProactiveMessage | undefined {
  return text === undefined ? undefined : (JSON.parse(text) as ProactiveMessage);
}

/** Records a new message, `encoded`; resolves with false when its id is known already. */
export function writeTaken(file: LedgerFile, holder: number, entry: HeldEntry, encoded: string): Promise<boolean> {
  const { entries } = file.tables;
  const key = keyOf(entry.id);
  return file.write(() =>
    entries.ifNoExists(key, () => putTaken(file.tables, key, recordOf(entry, holder), encoded, holder)),
  );
}

/** Records what became of a message; resolves with false when it is not ours in the file. */
export function writeReport(file: LedgerFile, holder: number, entry: HeldEntry): Promise<boolean> {
  const { entries, taken } = file.tables;
  const key = keyOf(entry.id);
  const record = recordOf(entry, holder);
  const row: TakenRow = [holder, entry.order, key];
  return file.write(() =>
    taken.ifVersion(row, file.ifExists, () => {
      if (record.state === "taken") entries.put(key, record);
      else putSettled(file.tables, key, record, row);
    }),
  );
}

/**
 * Brings the file to what memory says, whatever the file says now. Call it in a transaction. Used
 * where the quick writes above did not apply: the disk had refused an earlier one, or another inbox
 * has taken the entry over. That a message was delivered counts whoever delivered it; that an
 * attempt failed counts only while the entry is ours.
 */
export function saveEntry(tables: LedgerTables, holder: number, entry: HeldEntry, wasOnDisk: boolean): void {
  const key = keyOf(entry.id);
  const record = recordOf(entry, holder);
  const known = readable(() => tables.entries.get(key));
  if (known === undefined) {
    // It was settled by somebody else, and pruned.
    if (wasOnDisk) return;
    putTaken(tables, key, record, encodeMessage(entry.message), holder);
    if (record.state !== "taken") putSettled(tables, key, record, [holder, record.order, key]);
    return;
  }
  if (known.state !== "taken" || known.holder === undefined) return;
  const ours = known.holder === holder;
  if (record.state === "delivered" || (ours && record.state === "dead")) {
    putSettled(tables, key, record, [known.holder, known.order, key]);
  } else if (ours) {
    tables.entries.put(key, record);
  }
}

/** What `read` reads, or undefined when the record in the file is damaged. One record must not keep us from all others. */
export function readable<T>(read: () => T | undefined): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** The dead letters in the file, oldest first. */
export function readDeadLetters(tables: LedgerTables): LedgerEntry[] {
  const letters: LedgerEntry[] = [];
  for (const row of tables.settled.getKeys({ start: [2], end: [3] })) {
    const [, , key] = row;
    const letter = readable(() => readEntry(tables, key));
    if (letter?.state === "dead") letters.push(letter);
  }
  return letters;
}

/** An entry with its message as the port shows it; undefined where one of them is missing. Throws where one is damaged. */
export function readEntry(tables: LedgerTables, key: string): LedgerEntry | undefined {
  const record = tables.entries.get(key);
  const message = decodeMessage(tables.messages.get(key));
  if (record === undefined || message === undefined || record.state === "dropped") return undefined;
  const { state, attempts, at, error } = record;
  return { message, state, attempts, at, ...(error === undefined ? {} : { error }) };
}

/** Makes a dead letter `taken` by `holder`. Call it in a transaction. */
export function reviveLetter(
  tables: LedgerTables,
  holder: number,
  id: string,
  at: number,
  order: number,
): HeldEntry | undefined {
  const key = keyOf(id);
  const letter = readable(() => readEntry(tables, key));
  if (letter?.state !== "dead") return undefined;
  const { message } = letter;
  const entry: HeldEntry = { id, message, state: "taken", attempts: 0, at, order };
  tables.settled.remove([2, letter.at, key]);
  tables.entries.put(key, recordOf(entry, holder));
  tables.taken.put([holder, order, key], true);
  return entry;
}

/** Forgets a dead letter but for its id. Call it in a transaction. */
export function dropLetter(tables: LedgerTables, id: string, at: number): boolean {
  const key = keyOf(id);
  const known = readable(() => tables.entries.get(key));
  if (known?.state !== "dead") return false;
  const { error: _, ...rest } = known;
  tables.settled.remove([2, known.at, key]);
  tables.settled.put([1, at, key], true);
  tables.entries.put(key, { ...rest, state: "dropped", at });
  tables.messages.remove(key);
  return true;
}
