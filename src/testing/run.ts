import { randomUUID } from "node:crypto";
import type { Clock } from "../kit/clock.ts";
import type { FakeFile, Files } from "./files.ts";
import { gatewayKey } from "./gateway-key.ts";
import { createRunFrames, type RunFrames, type RunKind } from "./run-frames.ts";
import { announcePhase, announceRow, type Broadcast } from "./session-events.ts";
import { stepRow, toolResultRow } from "./steps.ts";
import type { SessionStatus, StoredRow, TranscriptRow, Transcripts } from "./transcript.ts";
import { abortedRow, failureRow, replyRow } from "./transcript-rows.ts";

/** Why a run failed. */
export interface FakeFailure {
  /** The `errorMessage` of the event. Default: that of a model that answered 500. */
  readonly message?: string;
  /** The `errorKind` of the event, such as `"timeout"` or `"rate_limit"`. Default: none. */
  readonly kind?: string;
}

/** A run that a test speaks. Each call sends at once; after its end, none sends anything. */
export interface FakeRun {
  readonly runId: string;
  readonly sessionKey: string;
  /** The whole text so far. */
  readonly text: string;
  /** Whether it goes on. False after `final`, `error`, `abort` or a crash of the Gateway. */
  readonly running: boolean;
  /**
   * Adds `piece` to the text: sends an `agent` event and a `chat` delta with the text so far. With `hold`, the delta is
   * sent at the end, with the `seq` of the final. A Gateway does so with the last piece.
   */
  delta(piece: string, options?: { readonly hold?: boolean }): void;
  /** Replaces the text so far (`replace: true`). A real Gateway does so with `""` only. */
  replace(text: string): void;
  /**
   * Calls a tool. What was said since the last call becomes a row of its own; what is said next follows after a blank
   * line, or directly before `"2026.9.5"`.
   */
  callTool(tool?: string): void;
  /**
   * Ends the run with a final. `text` is its message and its row (default: the text so far); with `""` there is none.
   * `files` are sent along. In a run of `chat.send` they are blocks of the row after `filesMs`. In any other run, and
   * before `"2026.8"`, they are `MEDIA:` lines of the row.
   */
  final(text?: string, files?: readonly FakeFile[]): void;
  /** Ends the run with an error. */
  error(failure?: FakeFailure): void;
  /** Ends the run as `chat.abort` does: `aborted` with the text so far, then late `agent` events. */
  abort(): void;
}

/** What a {@link FakeRun} needs of its Gateway. `filesMs` is in ms. */
export interface RunHost {
  readonly transcripts: Transcripts;
  readonly broadcast: Broadcast;
  readonly now: () => number;
  readonly clock: Clock;
  /** What is between the texts before and after a tool call. */
  readonly joiner: string;
  /** Undefined in a generation without downloads. */
  readonly files: Files | undefined;
  readonly filesMs: number;
}

/** What kind of run to start. */
export interface RunStart {
  readonly sessionKey: string;
  /** The session of its rows. Default: `sessionKey`. */
  readonly rowsIn?: string;
  readonly runId?: string;
  readonly kind: RunKind;
  readonly spawnedBy?: string;
  /** The row of its prompt, and whether clients do not see it. */
  readonly prompt?: (runId: string) => { readonly row: TranscriptRow; readonly hidden: boolean };
  readonly ended?: (run: FakeRun, status: SessionStatus) => void;
}

/** Starts a run: sends its first events and writes its prompt. */
export function startRun(host: RunHost, start: RunStart): FakeRun {
  const { transcripts, broadcast, now } = host;
  const runId = start.runId ?? randomUUID();
  const sessionKey = gatewayKey(start.sessionKey);
  const home = transcripts.session(start.rowsIn ?? sessionKey, start.kind === "send" ? "operator" : "run");
  const { kind, spawnedBy } = start;
  const frames = createRunFrames({ broadcast, now, runId, sessionKey, sessionId: home.sessionId, kind, spawnedBy });
  let text = "";
  let heldPiece: string | undefined;
  /** Where the text of the next row begins. */
  let rowFrom = 0;
  let calls = 0;
  const isRunning = () => home.running.has(runId);

  function write(row: TranscriptRow, hidden = false, ofRun = true): StoredRow {
    const stored = transcripts.add(home.key, row, { hidden, ...(ofRun ? { runId } : {}) });
    announceRow(broadcast, home, stored, now());
    return stored;
  }

  function keepFiles(stored: StoredRow, files: readonly FakeFile[]): void {
    const { id, seq: messageSeq, row } = stored;
    const blocks = host.files?.keep(files, { sessionKey: home.key, runId, messageSeq }) ?? [];
    const words = Array.isArray(row["content"]) ? (row["content"] as { readonly text?: string }[]) : [];
    const content = [...words.filter(({ text: said }) => said !== ""), ...blocks];
    const keep = () => transcripts.replace(home.key, id, { ...row, content });
    if (host.filesMs === 0) keep();
    else host.clock.setTimeout(keep, host.filesMs);
  }

  function end(status: SessionStatus, report: (frames: RunFrames) => void): void {
    if (!isRunning()) return;
    report(frames);
    transcripts.ended(home.key, runId, status);
    announcePhase(broadcast, home, "end", runId, now());
    start.ended?.(run, status);
  }

  const run: FakeRun = {
    runId,
    sessionKey,
    get text() {
      return text;
    },
    get running() {
      return isRunning();
    },
    delta(words, { hold = false } = {}) {
      if (!isRunning()) return;
      const isAfterCall = text !== "" && rowFrom === text.length;
      const piece = isAfterCall ? host.joiner + words : words;
      if (isAfterCall) rowFrom += host.joiner.length;
      if (heldPiece !== undefined) frames.delta(heldPiece, text);
      heldPiece = hold ? piece : undefined;
      text += piece;
      // A Gateway shows nothing of a hidden run before its end.
      if (kind !== "hidden") transcripts.progressed(home.key, runId, text);
      frames.speak(text, piece);
      if (!hold) frames.delta(piece, text);
    },
    replace(whole) {
      if (!isRunning()) return;
      text = whole;
      rowFrom = 0;
      heldPiece = undefined;
      if (kind !== "hidden") transcripts.progressed(home.key, runId, text);
      frames.speak(text, text, true);
      frames.delta(text, text, true);
    },
    callTool(tool = "session_status") {
      if (!isRunning()) return;
      const callId = `call-${runId}-${calls}`;
      calls += 1;
      write(stepRow(text.slice(rowFrom), callId, tool, now()));
      transcripts.add(home.key, toolResultRow(callId, tool, now()), { runId });
      rowFrom = text.length;
    },
    final(whole = text, files = []) {
      end("done", () => {
        const said = text;
        // After a tool call the row has only the last words.
        const last = whole === said ? whole.slice(rowFrom) : whole;
        text = whole;
        frames.usage();
        if (files.length > 0)
          frames.files(
            whole,
            files.map(({ name }) => name),
          );
        const isKept = kind === "send" && host.files !== undefined;
        const lines = isKept ? [] : files.map(({ name }) => `MEDIA:./${name}`);
        const written = last === "" ? lines.join("\n") : [last, ...lines].join("\n");
        const row = written !== "" || files.length > 0 ? write(replyRow(written, now())) : undefined;
        frames.finished(whole);
        if (heldPiece !== undefined) frames.delta(heldPiece, said);
        frames.final(whole);
        if (row !== undefined && isKept && files.length > 0) keepFiles(row, files);
      });
    },
    error({ message = SERVER_ERROR, kind: errorKind } = {}) {
      end("failed", () => {
        frames.failed(message);
        frames.error(message, errorKind);
        write(failureRow(message, runId, now()));
      });
    },
    abort() {
      end("killed", () => {
        frames.aborted(text);
        if (text !== "") write(abortedRow(text, runId, now()));
        frames.cancelled();
      });
    },
  };

  transcripts.started(home.key, runId);
  announcePhase(broadcast, home, "start", runId, now());
  frames.preparing();
  frames.started();
  const prompt = start.prompt?.(runId);
  if (prompt !== undefined) write(prompt.row, prompt.hidden, false);
  frames.model();
  return run;
}

const SERVER_ERROR =
  "⚠️ stub/stub-1 request failed (provider internal error, HTTP 500). This is usually temporary — try again shortly.";
