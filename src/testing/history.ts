import { GatewayRefusal, invalidParams } from "./gateway-errors.ts";
import { gatewayKey } from "./gateway-key.ts";
import { isRecord } from "./handshake.ts";
import { messagePayload } from "./session-events.ts";
import { type FakeSession, newSession, type StoredRow, type TranscriptRow, type Transcripts } from "./transcript.ts";
import { SESSION_DEFAULTS, sessionInfo } from "./transcript-row.ts";
import { DISPLAY_CHARS, truncated } from "./truncation.ts";

type Params = Readonly<Record<string, unknown>>;

// A Gateway answers `reset` when there are more rows than this since the cursor.
const DELTA_MAX_ROWS = 200;

const NO_PENDING_INPUTS = { items: [], total: 0 };

/**
 * Answers `chat.history`: a page of rows, or with `cursor` the rows since then. `rowsOf` says as which rows one is
 * given.
 */
export function chatHistory(
  transcripts: Transcripts,
  params: Params,
  now: number,
  rowsOf: (row: TranscriptRow) => readonly TranscriptRow[],
): object {
  const key = requireKey(params, "chat.history", "sessionKey");
  const session = transcripts.find(key);
  const { cursor } = params;
  if (typeof cursor === "string") return session === undefined ? { kind: "reset" } : since(session, cursor, now);
  if (session === undefined) return emptyHistory(key, now);
  const { rows } = session;
  const limit = numberOr(params["limit"], 200);
  const offset = numberOr(params["offset"], 0);
  // Hidden rows count towards the limit but are left out, so a page may have fewer rows, or none.
  const end = Math.max(0, rows.length - offset);
  const start = Math.max(0, end - limit);
  const given = rows
    .slice(start, end)
    .flatMap((stored) => (stored.hidden ? [] : rowsOf(stored.row).map((row) => ({ row, seq: stored.seq }))));
  const page = given.slice(-limit || given.length);
  // The first page may begin in the middle of a row that is given as several. The next page does not have the rest.
  if (offset > 0) page.unshift(...given.slice(0, -page.length).filter(({ seq }) => seq === page[0]?.seq));
  const [oldest] = page;
  const nextOffset = oldest === undefined ? offset + (end - start) : rows.length - oldest.seq + 1;
  const hasMore = nextOffset < rows.length;
  return {
    sessionKey: session.key,
    sessionId: session.sessionId,
    messages: page.map(({ row }) => truncated(row, numberOr(params["maxChars"], DISPLAY_CHARS))),
    pendingInputs: NO_PENDING_INPUTS,
    ...(offset > 0 ? {} : { deltaCursor: cursorOf(session) }),
    ...(hasMore ? { nextOffset } : {}),
    hasMore,
    totalMessages: rows.length,
    defaults: SESSION_DEFAULTS,
    sessionInfo: sessionInfo(session, now),
    ...inFlightRun(session),
  };
}

/** Answers `chat.message.get`: one row, cut at `maxChars` characters (default 1,000,000). */
export function chatMessage(transcripts: Transcripts, params: Params): object {
  const session = transcripts.find(requireKey(params, "chat.message.get", "sessionKey"));
  const messageId = requireKey(params, "chat.message.get", "messageId");
  const stored = session?.byId.get(messageId);
  if (stored === undefined || stored.hidden) return { ok: false, unavailableReason: "not_found" };
  return { ok: true, message: truncated(stored.row, numberOr(params["maxChars"], 1_000_000)) };
}

/** The parameter `name`, a string that is not empty. Throws the Gateway's answer otherwise. */
export function requireKey(params: Params, method: string, name: string): string {
  const value = params[name];
  if (typeof value === "string" && value !== "") return value;
  throw new GatewayRefusal(invalidParams(method, `at root: must have required property '${name}'`));
}

/** `value` when it is a number, else `fallback`. */
export function numberOr(value: unknown, fallback: number): number {
  return typeof value === "number" ? value : fallback;
}

function since(session: FakeSession, cursor: string, now: number): object {
  const lastSeq = readCursor(session, cursor);
  const fresh = session.rows.filter((row) => row.rawSeq > (lastSeq ?? 0));
  if (lastSeq === undefined || fresh.length > DELTA_MAX_ROWS || fresh.some(callsTool)) return { kind: "reset" };
  return {
    kind: "delta",
    messages: fresh.filter((row) => !row.hidden).map((row) => messagePayload(session, row, now)),
    deltaCursor: cursorOf(session),
    pendingInputs: NO_PENDING_INPUTS,
    sessionInfo: sessionInfo(session, now),
    ...inFlightRun(session),
  };
}

/** A Gateway gives such a row as two. It cannot do so after a cursor, and answers `reset`. */
function callsTool({ row: { content } }: StoredRow): boolean {
  return Array.isArray(content) && content.some((block) => isRecord(block) && block["type"] === "toolCall");
}

function emptyHistory(key: string, now: number): object {
  const { sessionId, status, ...info } = sessionInfo(newSession(key, "run", now), now);
  return {
    sessionKey: gatewayKey(key),
    messages: [],
    pendingInputs: NO_PENDING_INPUTS,
    hasMore: false,
    totalMessages: 0,
    defaults: SESSION_DEFAULTS,
    sessionInfo: info,
  };
}

function inFlightRun({ running }: FakeSession): object {
  const run = [...running.values()].at(-1);
  return run === undefined ? {} : { inFlightRun: { ...run, sessionAbortable: true } };
}

function cursorOf(session: FakeSession): string {
  const { generation, sessionId } = session;
  const lastSeq = lastRawSeq(session.rows);
  return Buffer.from(JSON.stringify({ agentId: "main", generation, lastSeq, sessionId, version: 1 })).toString(
    "base64url",
  );
}

function readCursor(session: FakeSession, cursor: string): number | undefined {
  try {
    const { generation, lastSeq } = JSON.parse(Buffer.from(cursor, "base64url").toString()) as Params;
    const known =
      generation === session.generation && typeof lastSeq === "number" && lastSeq <= lastRawSeq(session.rows);
    return known ? lastSeq : undefined;
  } catch {
    return undefined;
  }
}

function lastRawSeq(rows: readonly StoredRow[]): number {
  return rows.at(-1)?.rawSeq ?? 0;
}
