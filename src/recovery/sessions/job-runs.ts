import { fields, isTime, readId } from "../../protocol/fields.ts";
import type { Requests } from "../requests.ts";
import { isRefusedForever, type ListedSession, readSession } from "./session-list.ts";

const PAGE_RUNS = 100;
/** 2,000 runs. Older runs are lost, like rows of a session beyond its limit. */
const MAX_PAGES = 20;

/**
 * The sessions in which main-session cron jobs have run since `since` (ms, by the Gateway's clock), latest first. From
 * 2026.5.28 to 2026.7 each run has its own session, which `sessions.list` leaves out. The list of job runs has them.
 *
 * @throws {InboxError} when the Gateway does not answer.
 */
export async function listJobRuns(requests: Requests, since: number): Promise<readonly ListedSession[]> {
  const sessions: ListedSession[] = [];
  for (let offset = 0, pages = 0; pages < MAX_PAGES; pages += 1) {
    const params = { scope: "all", limit: PAGE_RUNS, ...(offset > 0 && { offset }) };
    const { entries, hasMore, nextOffset } = fields(await ask(requests, params));
    const runs = Array.isArray(entries) ? entries.map(fields) : [];
    const recent = runs.filter(({ ts }) => isTime(ts) && ts >= since);
    sessions.push(...recent.flatMap((run) => sessionOf(run) ?? []));
    if (recent.length < runs.length || hasMore !== true || typeof nextOffset !== "number" || nextOffset <= offset)
      break;
    offset = nextOffset;
  }
  return sessions;
}

async function ask(requests: Requests, params: object): Promise<unknown> {
  try {
    return await requests.ask("cron.runs", params, { urgent: true });
  } catch (error) {
    // `Requests` has counted and logged it.
    if (isRefusedForever(error)) return undefined;
    throw error;
  }
}

/** Runs of other jobs are listed with their sessions, and have a `sessionId`. */
function sessionOf({
  sessionKey,
  sessionId,
  ts,
  runAtMs,
}: Readonly<Record<string, unknown>>): ListedSession | undefined {
  const key = readId(sessionKey);
  const isApart = sessionId === undefined && key !== undefined && /^agent:[^:]+:cron:[^:]+:run:./i.test(key);
  return isApart ? readSession({ updatedAt: ts, createdAt: runAtMs }, key) : undefined;
}
