import { readSessionKey } from "../../protocol/chat-event.ts";
import { fields, isTime, readId } from "../../protocol/fields.ts";
import type { Requests } from "../requests.ts";

/** What `sessions.list` says of a session. */
export interface ListedSession {
  readonly key: string;
  /** Tells one life of the session from the next; part of the live key of an isolated cron run. */
  readonly sessionId?: string;
  readonly spawnedBy?: string;
  /** When anything last happened in it, in ms since the epoch by the Gateway's clock. */
  readonly updatedAt?: number;
  /** A run of it has not ended. */
  readonly active: boolean;
}

/** One page of sessions. */
export interface SessionPage {
  /** The Gateway's clock when it answered, in ms since the epoch. */
  readonly at?: number;
  readonly sessions: readonly ListedSession[];
}

const PAGE_SESSIONS = 200;
/** 200,000 sessions: a Gateway that always says there are more does not keep us for ever. */
const MAX_PAGES = 1_000;

/**
 * The Gateway's sessions, page by page, the one with the latest activity first. A session that
 * becomes active in the meantime moves to the front, out of sight: so the first page is looked at
 * once more in the end. A key may come twice.
 *
 * @throws {InboxError} when the Gateway does not answer a page.
 */
export async function* listSessions(requests: Requests): AsyncGenerator<SessionPage, void, undefined> {
  let offset = 0;
  for (let pages = 1; pages <= MAX_PAGES; pages += 1) {
    const answer = await askPage(requests, offset);
    yield readPage(answer);
    const next = answer["nextOffset"];
    if (answer["hasMore"] !== true || typeof next !== "number" || next <= offset) break;
    offset = next;
  }
  if (offset > 0) yield readPage(await askPage(requests, 0));
}

async function askPage(requests: Requests, offset: number): Promise<Record<string, unknown>> {
  const params = { limit: PAGE_SESSIONS, ...(offset > 0 && { offset }) };
  return fields(await requests.ask("sessions.list", params, { urgent: true }));
}

function readPage({ ts, sessions }: Record<string, unknown>): SessionPage {
  const listed = Array.isArray(sessions) ? sessions.flatMap((session) => readSession(fields(session)) ?? []) : [];
  return { ...(isTime(ts) && { at: ts }), sessions: listed };
}

function readSession(raw: Record<string, unknown>): ListedSession | undefined {
  const key = readSessionKey(raw["key"]);
  if (key === undefined) return undefined;
  const sessionId = readId(raw["sessionId"]);
  const spawnedBy = readId(raw["spawnedBy"]);
  const { updatedAt, hasActiveRun } = raw;
  return {
    key,
    ...(sessionId !== undefined && { sessionId }),
    ...(spawnedBy !== undefined && { spawnedBy }),
    ...(isTime(updatedAt) && { updatedAt }),
    active: hasActiveRun === true,
  };
}
