import { isInboxError } from "../../errors.ts";
import { fields, isTime, isTooLongAnId, readId } from "../../protocol/fields.ts";
import type { Requests } from "../requests.ts";
import { type Address, addressOf } from "./address.ts";

/** A session as `sessions.list` and session events describe it. */
export interface ListedSession {
  readonly address: Address;
  /** Changes when the session is reset. Part of the live key of an isolated cron run. */
  readonly sessionId?: string;
  readonly spawnedBy?: string;
  /** When something last happened in it, in ms since the epoch by the Gateway's clock. Only a hint. */
  readonly updatedAt?: number;
  /** When it was created, by the same clock. */
  readonly createdAt?: number;
  readonly lastRunId?: string;
  /** Whether it has a run in progress. */
  readonly active: boolean;
  /** Changes with everything that happens in the session. */
  readonly fingerprint: string;
}

/** One page of sessions. */
export interface SessionPage {
  /** The Gateway's time when it answered, in ms since the epoch. */
  readonly at?: number;
  readonly sessions: readonly ListedSession[];
  /** How many sessions were refused because their key is too long. */
  readonly refused: number;
}

const PAGE_SESSIONS = 200;
/** The most pages: 200,000 sessions. A Gateway that always announces more must not keep us busy for ever. */
const MAX_PAGES = 1_000;
/** Without these, a Gateway leaves out the session that all conversations share with `session.scope: "global"`. */
const ALL_KINDS = { includeGlobal: true, includeUnknown: true };

/**
 * The Gateway's sessions, page by page, latest activity first. A session that becomes active during the reading moves
 * to the front and is missed. So the first page is read once more at the end. A session may come twice.
 *
 * @throws {InboxError} when the Gateway does not answer a page.
 */
export async function* listSessions(requests: Requests): AsyncGenerator<SessionPage, void, undefined> {
  let kinds: object = ALL_KINDS;
  const page = async (offset: number): Promise<Readonly<Record<string, unknown>>> => {
    const params = { limit: PAGE_SESSIONS, ...kinds, ...(offset > 0 && { offset }) };
    try {
      return fields(await requests.ask("sessions.list", params, { urgent: true }));
    } catch (error) {
      if (kinds !== ALL_KINDS || !isRefusedForever(error)) throw error;
      // A Gateway that does not know these parameters has no such sessions.
      kinds = {};
      return page(offset);
    }
  };
  let offset = 0;
  for (let pages = 1; pages <= MAX_PAGES; pages += 1) {
    const answer = await page(offset);
    yield readPage(answer);
    const next = answer["nextOffset"];
    if (answer["hasMore"] !== true || typeof next !== "number" || next <= offset) break;
    offset = next;
  }
  if (offset > 0) yield readPage(await page(0));
}

/** Whether the Gateway does not know the method or its parameters, and never will. */
export function isRefusedForever(error: unknown): boolean {
  return isInboxError(error, "ERR_INBOX_REQUEST") && error.details["gatewayCode"] === "INVALID_REQUEST";
}

function readPage({ ts, sessions }: Readonly<Record<string, unknown>>): SessionPage {
  const all = Array.isArray(sessions) ? sessions.map(fields) : [];
  const listed = all.flatMap((session) => readSession(session) ?? []);
  const refused = all.filter(({ key }) => isTooLongAnId(key)).length;
  return { ...(isTime(ts) && { at: ts }), sessions: listed, refused };
}

/**
 * Reads the description of one session, loosely. Undefined without a key. `key` is given when it is beside the
 * description.
 */
export function readSession(
  raw: Readonly<Record<string, unknown>>,
  key: unknown = raw["key"],
): ListedSession | undefined {
  const read = readId(key);
  if (read === undefined) return undefined;
  const { updatedAt, createdAt, endedAt } = raw;
  const sessionId = readId(raw["sessionId"]);
  const spawnedBy = readId(raw["spawnedBy"]);
  const lastRunId = readId(raw["lastRunId"]);
  const active = raw["hasActiveRun"] === true;
  return {
    address: addressOf(read, raw["agentId"]),
    ...(sessionId !== undefined && { sessionId }),
    ...(spawnedBy !== undefined && { spawnedBy }),
    ...(isTime(updatedAt) && { updatedAt }),
    ...(isTime(createdAt) && { createdAt }),
    ...(lastRunId !== undefined && { lastRunId }),
    active,
    fingerprint: [sessionId, updatedAt, lastRunId, endedAt, active].map(brief).join(" "),
  };
}

function brief(value: unknown): string {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean"
    ? String(value).slice(0, 100)
    : "";
}
