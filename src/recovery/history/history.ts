import { isInboxError } from "../../errors.ts";
import { fields, readId } from "../../protocol/fields.ts";
import { readSessionRow, type SessionRow } from "../../protocol/transcript-row.ts";
import type { Requests } from "../requests.ts";

/** What the Gateway keeps of a session. */
export interface SessionHistory {
  /** Oldest first. */
  readonly rows: readonly SessionRow[];
  /** The runs that go on. */
  readonly active: ReadonlySet<string>;
  /** Something goes on that the Gateway does not name. */
  readonly busy: boolean;
  /** The run that goes on, with what it has said so far (nothing, when it is hidden). */
  readonly inFlight?: { readonly runId: string; readonly text: string };
  readonly sessionId?: string;
  /** Where to go on reading next time. */
  readonly cursor?: string;
}

/** What to read of a session. */
export interface HistoryRequest {
  readonly sessionKey: string;
  /** Rows written later than this are wanted, with the runs they belong to whole. By the Gateway's clock. */
  readonly since: number;
  /** Runs that are wanted whole whenever they spoke, as far as `since` and `maxRows` reach. */
  readonly runIds?: ReadonlySet<string> | undefined;
  /** Where an earlier reading ended. Then only what is new comes, if the Gateway can still tell. */
  readonly cursor?: string | undefined;
  /** At most so many rows, the newest. */
  readonly maxRows: number;
}

const PAGE_ROWS = 50;
/** Longer than anything a Gateway keeps of one message. */
const WHOLE_TEXT_CHARS = 500_000;

/**
 * Reads what is new in a session, with every text whole that is needed. Answers are untrusted: what
 * cannot be read is left out.
 *
 * @throws {InboxError} when the Gateway does not answer.
 */
export async function readHistory(requests: Requests, request: HistoryRequest): Promise<SessionHistory> {
  const history = (await readDelta(requests, request)) ?? (await readPages(requests, request));
  return { ...history, rows: await completed(requests, request, history.rows) };
}

/** What is new since the cursor; undefined when that cannot be told, or would not be all of a run. */
async function readDelta(
  requests: Requests,
  { sessionKey, cursor }: HistoryRequest,
): Promise<SessionHistory | undefined> {
  if (cursor === undefined) return undefined;
  const answer = fields(await requests.ask("chat.history", { sessionKey, cursor }));
  if (answer["kind"] !== "delta" || !Array.isArray(answer["messages"])) return undefined;
  const rows = answer["messages"].flatMap((payload) => readSessionRow(fields(payload)["message"]) ?? []);
  // Of a run with tool calls a delta may hold the end only.
  if (rows.some(({ kind }) => kind === "step")) return undefined;
  return { ...readState(answer), rows };
}

async function readPages(requests: Requests, { sessionKey, since, maxRows }: HistoryRequest): Promise<SessionHistory> {
  let offset = 0;
  let state = readState({});
  let rows: SessionRow[] = [];
  const seen = new Set<string>();
  // A Gateway that steps on too slowly does not keep us for ever.
  for (let pages = 1; pages <= Math.ceil(maxRows / PAGE_ROWS) * 2; pages += 1) {
    const params = { sessionKey, limit: PAGE_ROWS, ...(offset > 0 && { offset }) };
    const answer = fields(await requests.ask("chat.history", params));
    if (pages === 1) state = readState(answer);
    const { messages, hasMore, nextOffset } = answer;
    const page = Array.isArray(messages) ? messages.flatMap((message) => readSessionRow(message) ?? []) : [];
    // A row written between two pages shifts them against each other.
    rows = [...page.filter((row) => isNew(row, seen)), ...rows];
    if (hasMore !== true || typeof nextOffset !== "number" || nextOffset <= offset) break;
    if (nextOffset >= maxRows || reachesBack(rows, since)) break;
    offset = nextOffset;
  }
  return { ...state, rows };
}

/** One row may be told as two with the same id: what is said, then the tool that is called. */
function isNew({ id, kind, text }: SessionRow, seen: Set<string>): boolean {
  if (id === undefined) return true;
  const key = `${id} ${kind} ${text.length}`;
  return !seen.has(key) && seen.add(key) !== undefined;
}

/** Whether the oldest row is old, and of no run that spoke later as well. */
function reachesBack(rows: readonly SessionRow[], since: number): boolean {
  const oldest = rows[0];
  if (oldest === undefined || (oldest.at ?? Number.POSITIVE_INFINITY) > since) return false;
  if (oldest.runId === undefined) return true;
  return !rows.some(({ runId, at }) => runId === oldest.runId && (at ?? 0) > since);
}

function readState(answer: Record<string, unknown>): Omit<SessionHistory, "rows"> {
  const sessionId = readId(answer["sessionId"]);
  const cursor = readId(answer["deltaCursor"]);
  const going = fields(answer["inFlightRun"]);
  const { activeRunIds, hasActiveRun } = fields(answer["sessionInfo"]);
  const named = Array.isArray(activeRunIds) ? activeRunIds.flatMap((id) => readId(id) ?? []) : [];
  const runId = readId(going["runId"]);
  const text = typeof going["text"] === "string" ? going["text"] : "";
  const inFlight = runId === undefined ? undefined : { runId, text };
  const active = new Set<string>(inFlight === undefined ? named : [...named, inFlight.runId]);
  return {
    active,
    busy: active.size === 0 && hasActiveRun === true,
    ...(inFlight !== undefined && { inFlight }),
    ...(sessionId !== undefined && { sessionId }),
    ...(cursor !== undefined && { cursor }),
  };
}

/** The rows with whole texts where they were cut, as far as the Gateway gives them. Old rows are left as they are. */
async function completed(
  requests: Requests,
  { sessionKey, since, runIds }: HistoryRequest,
  rows: readonly SessionRow[],
): Promise<readonly SessionRow[]> {
  const wanted = new Set(runIds);
  for (const { at, runId } of rows)
    if (runId !== undefined && (at ?? Number.POSITIVE_INFINITY) > since) wanted.add(runId);
  const isCut = ({ truncated, kind, runId = "" }: SessionRow) => truncated && kind !== "prompt" && wanted.has(runId);
  return Promise.all(rows.map((row) => (isCut(row) ? wholeRow(requests, sessionKey, row) : row)));
}

/**
 * `row` with its whole text; as it is when the Gateway has no more of it.
 *
 * @throws {InboxError} when the Gateway does not answer.
 */
export async function wholeRow(requests: Requests, sessionKey: string, row: SessionRow): Promise<SessionRow> {
  const { id, kind } = row;
  if (id === undefined) return row;
  const found = readSessionRow(fields(await askMessage(requests, sessionKey, id))["message"]);
  if (found !== undefined && !found.truncated) return { ...row, text: found.text, truncated: false };
  const params = { sessionKey, limit: PAGE_ROWS, maxChars: WHOLE_TEXT_CHARS };
  const { messages } = fields(await requests.ask("chat.history", params));
  const again = Array.isArray(messages) ? messages.flatMap((message) => readSessionRow(message) ?? []) : [];
  return again.find((one) => one.id === id && one.kind === kind && !one.truncated) ?? row;
}

async function askMessage(requests: Requests, sessionKey: string, messageId: string): Promise<unknown> {
  try {
    return await requests.ask("chat.message.get", { sessionKey, messageId });
  } catch (error) {
    // An older Gateway may not have the method; its history can do the same.
    if (isInboxError(error, "ERR_INBOX_REQUEST")) return undefined;
    throw error;
  }
}
