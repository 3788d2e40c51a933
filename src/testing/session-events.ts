import type { Connection } from "./connection.ts";
import type { FakeSession, StoredRow } from "./transcript.ts";
import { agentOf, sessionSnapshot } from "./transcript-row.ts";
import { DISPLAY_CHARS, truncated } from "./truncation.ts";

/** Sends one event frame to the accepted clients that `to` accepts. Default: all that may read it. */
export type Broadcast = (event: string, payload: object, to?: (connection: Connection) => boolean) => void;

/** A `session.message` payload as `chat.history` gives it after a cursor: without the run's id beside the row. */
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

/** Sends a new row to the subscribers of its session and to the roster. */
export function announceRow(broadcast: Broadcast, session: FakeSession, stored: StoredRow, now: number): void {
  const wants = ({ roster, subscriptions }: Connection) => roster || subscriptions.has(session.key);
  const { hidden, runId } = stored;
  const ofRun = runId === undefined ? {} : { runId };
  if (!hidden) return broadcast("session.message", { ...messagePayload(session, stored, now), ...ofRun }, wants);
  const place = { agentId: agentOf(session.key), phase: "message", messageId: stored.id, messageSeq: stored.seq };
  broadcast("sessions.changed", changedPayload(session, place, now), ({ roster }) => roster);
}

/** Sends the start or end of a run to the roster. */
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

/** Sends to everybody that a cron job was bound to the session or released it. */
export function announceCronBinding(broadcast: Broadcast, session: FakeSession, now: number): void {
  broadcast("sessions.changed", changedPayload(session, { reason: "cron-binding" }, now));
}

function changedPayload(session: FakeSession, what: object, now: number): object {
  return { ...sessionSnapshot(session, now), sessionKey: session.key, ...what, ts: now };
}
