import { isRecord } from "./handshake.ts";
import type { TranscriptRow, Transcripts } from "./transcript.ts";
import { replyRow, textBlocks } from "./transcript-rows.ts";

/**
 * Writes what played and hand-made events say into the transcripts, so that `chat.history` agrees with them. Ignores
 * what it cannot read.
 */
export interface Observer {
  event(name: string, payload: unknown): void;
  /** Takes the rows of a recorded answer of `chat.history`, which the Gateway had at that moment. */
  answer(payload: unknown): void;
}

/** An {@link Observer} that writes to `transcripts`. */
export function createObserver(transcripts: Transcripts, now: () => number): Observer {
  function keep(sessionKey: string, row: TranscriptRow, runId?: string): void {
    const mark = isRecord(row["__openclaw"]) ? row["__openclaw"] : {};
    const session = transcripts.find(sessionKey);
    const ofRun = session?.byRun.get(String(runId ?? mark["runId"])) ?? [];
    const known = session?.byId.has(String(mark["id"])) || ofRun.some((stored) => textOf(stored.row) === textOf(row));
    if (!known) transcripts.add(sessionKey, row, runId === undefined ? {} : { runId });
  }

  function final(key: string, runId: string, message: unknown): void {
    const running = transcripts.find(key)?.running.get(runId);
    const text = (isRecord(message) ? textOf(message) : "") || (running?.text ?? "");
    if (running !== undefined) transcripts.ended(key, runId, "done");
    if (text.trim() === "" || transcripts.find(key)?.byRun.has(runId)) return;
    const injected = runId.startsWith("inject-");
    const row = replyRow(text, now());
    keep(
      key,
      injected ? { ...row, model: "gateway-injected", __openclaw: { id: runId.slice("inject-".length) } } : row,
      injected ? undefined : runId,
    );
  }

  function chat(payload: Readonly<Record<string, unknown>>): void {
    const { runId, sessionKey, state, message, deltaText } = payload;
    if (typeof runId !== "string" || typeof sessionKey !== "string") return;
    const key = homeOf(sessionKey);
    if (state === "final") return final(key, runId, message);
    if (state === "error" || state === "aborted") {
      if (transcripts.find(key)?.running.has(runId) === true)
        transcripts.ended(key, runId, state === "error" ? "failed" : "killed");
    } else if (state === "delta") {
      const session = transcripts.session(key);
      const before = session.running.get(runId);
      // A delta after the end of a run does not start it again.
      if (before === undefined && session.byRun.has(runId)) return;
      if (before === undefined) transcripts.started(key, runId);
      const pieces = `${payload["replace"] === true ? "" : (before?.text ?? "")}${typeof deltaText === "string" ? deltaText : ""}`;
      transcripts.progressed(key, runId, (isRecord(message) ? textOf(message) : "") || pieces);
    }
  }

  function row(sessionKey: unknown, message: unknown): void {
    if (typeof sessionKey === "string" && isRecord(message)) keep(sessionKey, message);
  }

  /** A row of an answer ends its run, since its later events are not in the recording. */
  function endedRow(sessionKey: unknown, message: unknown): void {
    row(sessionKey, message);
    if (typeof sessionKey !== "string" || !isRecord(message) || typeof message["stopReason"] !== "string") return;
    const { runId } = isRecord(message["__openclaw"]) ? message["__openclaw"] : {};
    const isOver = message["stopReason"] !== "toolUse" && typeof runId === "string";
    if (isOver && transcripts.find(sessionKey)?.running.has(runId) === true)
      transcripts.ended(sessionKey, runId, "done");
  }

  return {
    event(name, payload) {
      if (!isRecord(payload)) return;
      if (name === "chat") chat(payload);
      if (name === "session.message") row(payload["sessionKey"], payload["message"]);
    },
    answer(payload) {
      if (!isRecord(payload) || !Array.isArray(payload["messages"])) return;
      const isDelta = payload["kind"] === "delta";
      for (const message of payload["messages"]) {
        if (!isDelta) endedRow(payload["sessionKey"], message);
        else if (isRecord(message)) endedRow(message["sessionKey"], message["message"]);
      }
    },
  };
}

/** The session of a run's rows. Rows of an isolated cron run are in the session of its job. */
function homeOf(sessionKey: string): string {
  return sessionKey.replace(/(:cron:[^:]+):run:[^:]+$/, "$1");
}

function textOf({ content }: Readonly<Record<string, unknown>>): string {
  if (typeof content === "string") return content;
  const blocks = Array.isArray(content) ? content : textBlocks("");
  return blocks.map((block) => (isRecord(block) && typeof block["text"] === "string" ? block["text"] : "")).join("");
}
