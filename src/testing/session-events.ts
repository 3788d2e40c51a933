import type { Connection } from "./connection.ts";
import type { FakeSession, StoredRow } from "./transcript.ts";
import { agentOf, sessionSnapshot } from "./transcript-row.ts";
import { DISPLAY_CHARS, truncated } from "./truncation.ts";

/** Sends one event frame to every connection past hello that `to` accepts (default: all that may read). */
export type Broadcast = (event: string, payload: object, to?: (connection: Connection) => boolean) => void;

/** What the delta of `chat.history` lists: a `session.message` payload, but without the run's id beside the row. */
export function messagePayload(session: FakeSession, stored: StoredRow, now: number): object {
  const isUser = stored.row["role"] === "user";
  return {
    ...sessionSnapshot(session, now),
    sessionKey: session.key,
    ...(isUser ? { senderIsOwner: true } : {}),
    agentId: agentOf(session.key),
    message: truncated(stored.row, DISPLAY_CHARS),
    messageId: stored.id,
    messageSeq: stored.seq,
  };
}

/** Tells of a new row: to those subscribed to its session, and to those with the roster. */
export function announceRow(broadcast: Broadcast, session: FakeSession, stored: StoredRow, now: number): void {
  const wants = ({ roster, subscriptions }: Connection) => roster || subscriptions.has(session.key);
  const { hidden, runId } = stored;
  const ofRun = runId === undefined ? {} : { runId };
  if (!hidden) return broadcast("session.message", { ...messagePayload(session, stored, now), ...ofRun }, wants);
  const place = { agentId: agentOf(session.key), phase: "message", messageId: stored.id, messageSeq: stored.seq };
  broadcast("sessions.changed", changedPayload(session, place, now), ({ roster }) => roster);
}

/** Tells those with the roster that a run of the session started or ended. */
export function announcePhase(
  broadcast: Broadcast,
  session: FakeSession,
  phase: "start" | "end",
  runId: string,
  now: number,
): void {
  const what = { agentId: agentOf(session.key), phase, runId };
  broadcast("sessions.changed", changedPayload(session, what, now), ({ roster }) => roster);
}

/** Tells everybody that a cron job was bound to the session, or let go of it. */
export function announceCronBinding(broadcast: Broadcast, session: FakeSession, now: number): void {
  broadcast("sessions.changed", changedPayload(session, { reason: "cron-binding" }, now));
}

function changedPayload(session: FakeSession, what: object, now: number): object {
  return { ...sessionSnapshot(session, now), sessionKey: session.key, ...what, ts: now };
}
