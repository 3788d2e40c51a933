import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { errorText, InboxError } from "../../errors.ts";
import type { ProactiveMessage } from "../../types.ts";
import type { LedgerEntry, LedgerHost, LedgerState } from "../ledger.ts";

/** Longer errors are cut: they are for a person, and a handler may put anything into them. */
const MAX_ERROR_CHARS = 1_000;
/** Longer names are hashed: an index holds no more than some 2,000 bytes a key. */
const MAX_KEY_CHARS = 400;

/**
 * A name from outside as it stands in a key column: itself, or a hash where a text column could not hold it (NUL, half a
 * character) or it is very long. Two names never share one.
 */
export function keyOf(name: string): string {
  if (name.length <= MAX_KEY_CHARS && !name.startsWith("#") && !name.includes("\0") && name.isWellFormed()) return name;
  // UTF-16, so that two halves of characters do not become the same replacement.
  return `#${createHash("sha256").update(Buffer.from(name, "utf16le")).digest("base64url")}`;
}

/** A text as any text column can hold it, for people to read: the message has the exact one. */
function plain(text: string): string {
  return text.replaceAll("\0", "").toWellFormed().slice(0, MAX_KEY_CHARS);
}

/** An error as it is kept. */
export function errorOf(error: string): string {
  return error.slice(0, MAX_ERROR_CHARS).replaceAll("\0", "").toWellFormed();
}

/** The lane of a message: its session's, or its own where no order is wanted. */
function laneOf({ id, gateway, sessionKey }: ProactiveMessage, ordering: LedgerHost["ordering"]): string {
  return keyOf(ordering === "none" ? id : `${gateway} ${sessionKey}`);
}

/**
 * The parameters of `take` for a message.
 *
 * @throws {InboxError} `ERR_INBOX_OPTION` when its session holds what JSON cannot.
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

/** By which a damaged text is told from a whole one: no engine has a checksum for every row. */
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

/** A row of `messages`, as `claim` and the reads of dead letters give it. Engines may give numbers as text. */
export interface MessageRow {
  readonly id: string;
  readonly state: string;
  readonly attempts: number | string;
  readonly error: string | null;
  readonly changed_at: number | string;
  readonly position: number | string;
  /** JSON, as text or read already. */
  readonly body: unknown;
  /** Absent or null where the engine has checksums of its own. */
  readonly checksum?: number | string | null;
}

/** What a row says; undefined when its message cannot be read. */
export function entryOf(row: MessageRow): LedgerEntry | undefined {
  const { state, attempts, error, changed_at, body, checksum } = row;
  const message = decode(body);
  if (message === undefined) return undefined;
  // By the message's own id: a row whose id is damaged still holds a whole message.
  if (checksum != null && checksumOf(keyOf(message.id), String(body)) !== Number(checksum)) return undefined;
  return {
    message,
    state: state as LedgerState,
    attempts: Number(attempts),
    at: Number(changed_at),
    ...(error === null ? {} : { error }),
  };
}

/** What a claim brought: the entries in order, and the ids of the rows whose message cannot be read. */
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
    // Edited rows may lack what delivery reads.
    return isMessage(value)
      ? { ...value, attachments: Array.isArray(value.attachments) ? value.attachments : [] }
      : undefined;
  } catch {
    return undefined;
  }
}

/** Whether what was read can be delivered: a damaged or edited row may hold anything. */
function isMessage(value: unknown): value is ProactiveMessage {
  if (typeof value !== "object" || value === null) return false;
  const { id, gateway, runId, sessionKey, text } = value as Record<string, unknown>;
  return [id, gateway, runId, sessionKey, text].every((field) => typeof field === "string");
}
