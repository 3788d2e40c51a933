import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { errorText, InboxError } from "../../errors.ts";
import type { ProactiveMessage } from "../../types.ts";
import type { LedgerEntry, LedgerHost, LedgerState } from "../ledger.ts";

/** Longer errors are cut. They are for a person, and a handler may put anything into them. */
const MAX_ERROR_CHARS = 1_000;
/** Longer names are hashed, because an index takes only about 2,000 bytes per key. */
const MAX_KEY_CHARS = 400;

/**
 * A name from outside, for a key column. It becomes a hash when it is very long, or a text column could not hold it
 * (NUL, half a surrogate pair). Two names never become the same.
 */
export function keyOf(name: string): string {
  if (name.length <= MAX_KEY_CHARS && !name.startsWith("#") && !name.includes("\0") && name.isWellFormed()) return name;
  // As UTF-16, because in UTF-8 two different half pairs would become the same replacement character.
  return `#${createHash("sha256").update(Buffer.from(name, "utf16le")).digest("base64url")}`;
}

/** A text that any text column can hold, for people. The message has the exact text. */
function plain(text: string): string {
  return text.replaceAll("\0", "").toWellFormed().slice(0, MAX_KEY_CHARS);
}

/** The error as it is stored. */
export function errorOf(error: string): string {
  return error.slice(0, MAX_ERROR_CHARS).replaceAll("\0", "").toWellFormed();
}

/** The lane of a message: that of its session, or a separate one when no order is wanted. */
function laneOf({ id, gateway, sessionKey }: ProactiveMessage, ordering: LedgerHost["ordering"]): string {
  return keyOf(ordering === "none" ? id : `${gateway} ${sessionKey}`);
}

/**
 * The parameters of `take` for a message.
 *
 * @throws {InboxError} `ERR_INBOX_OPTION` when its session cannot be written as JSON.
 */
export function takeParameters(
  message: ProactiveMessage,
  ordering: LedgerHost["ordering"],
  now: number,
  owner: string,
): (string | number)[] {
  const { id, gateway, sessionKey, runId } = message;
  const lane = laneOf(message, ordering);
  const key = keyOf(id);
  const body = encode(message);
  return [key, plain(gateway), plain(sessionKey), lane, keyOf(runId), now, body, checksumOf(key, body), owner];
}

/** Shows whether a stored text is damaged. Not every engine has a checksum for each row. */
function checksumOf(key: string, body: string): number {
  return crc32(body, crc32(key));
}

function encode(message: ProactiveMessage): string {
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

/** A row of `messages`, as returned by `claim` and the reads of dead letters. Engines may return numbers as text. */
export interface MessageRow {
  readonly id: string;
  readonly state: string;
  readonly attempts: number | string;
  readonly error: string | null;
  readonly changed_at: number | string;
  readonly position: number | string;
  /** JSON, as text or parsed already. */
  readonly body: unknown;
  /** Absent or null when the engine has its own checksums. */
  readonly checksum?: number | string | null;
}

/** The entry in a row; undefined when its message cannot be read. */
export function entryOf(row: MessageRow): LedgerEntry | undefined {
  const { state, attempts, error, changed_at, body, checksum } = row;
  const message = decode(body);
  if (message === undefined) return undefined;
  // Computed from the message's own id, because a row with a damaged id may still hold a whole message.
  if (checksum != null && checksumOf(keyOf(message.id), String(body)) !== Number(checksum)) return undefined;
  return {
    message,
    state: state as LedgerState,
    attempts: Number(attempts),
    at: Number(changed_at),
    ...(error === null ? {} : { error }),
  };
}

/** The result of a claim: the entries in order, and the ids of rows whose message cannot be read. */
export function entriesOf(rows: readonly MessageRow[]): {
  readonly entries: readonly LedgerEntry[];
  readonly unreadable: readonly string[];
} {
  const entries: LedgerEntry[] = [];
  const unreadable: string[] = [];
  for (const row of [...rows].sort((a, b) => Number(a.position) - Number(b.position))) {
    const entry = entryOf(row);
    if (entry === undefined) unreadable.push(String(row.id));
    else entries.push(entry);
  }
  return { entries, unreadable };
}

function decode(body: unknown): ProactiveMessage | undefined {
  try {
    const value: unknown = typeof body === "string" ? JSON.parse(body) : body;
    // An edited row may lack fields that delivery reads.
    return isMessage(value)
      ? { ...value, attachments: Array.isArray(value.attachments) ? value.attachments : [] }
      : undefined;
  } catch {
    return undefined;
  }
}

/** Whether the value can be delivered. A damaged or edited row may hold anything. */
function isMessage(value: unknown): value is ProactiveMessage {
  if (typeof value !== "object" || value === null) return false;
  const { id, gateway, runId, sessionKey, text } = value as Record<string, unknown>;
  return [id, gateway, runId, sessionKey, text].every((field) => typeof field === "string");
}
