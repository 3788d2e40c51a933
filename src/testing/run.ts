import { randomUUID } from "node:crypto";
import type { Clock } from "../kit/clock.ts";
import type { FakeFile, Files } from "./files.ts";
import { gatewayKey } from "./gateway-key.ts";
import { createRunFrames, type RunFrames, type RunKind } from "./run-frames.ts";
import { announcePhase, announceRow, type Broadcast } from "./session-events.ts";
import type { SessionStatus, StoredRow, TranscriptRow, Transcripts } from "./transcript.ts";
import { abortedRow, failureRow, replyRow } from "./transcript-rows.ts";

/** What went wrong with a run, as its `error` event says it. */
export interface FakeFailure {
  /** Default: the sentence of a Gateway whose model answered 500. */
  readonly message?: string;
  /** e.g. `"timeout"` or `"rate_limit"`; most errors have none. */
  readonly kind?: string;
}

/** A run in progress. Everything is sent at once, when called; after its end nothing more is. */
export interface FakeRun {
  readonly runId: string;
  readonly sessionKey: string;
  /** All that it has said so far. */
  readonly text: string;
  /** False after `final`, `error`, `abort`, or a crash of the Gateway. */
  readonly running: boolean;
  /**
   * Says `piece` more: an `agent` event and a cumulative `chat` delta. With `hold`, the delta is
   * kept back until the end and then shares its `seq`, as a Gateway does with what came last.
   */
  delta(piece: string, options?: { readonly hold?: boolean }): void;
  /** Throws away what was said and says `text` instead (`replace: true`); real Gateways only ever say `""`. */
  replace(text: string): void;
  /**
   * Ends well. `text` (default: all that was said) becomes the row and the final's message; `""` ends it without a message.
   * `files` are sent along: those of a `chat.send` run are kept, and are blocks of the row after `filesMs`; of any other
   * run, and before `"2026.8"`, they stay `MEDIA:` lines of the row.
   */
  final(text?: string, files?: readonly FakeFile[]): void;
  error(failure?: FakeFailure): void;
  /** Ends as `chat.abort` makes it: `aborted` with the text so far, then late `agent` events. */
  abort(): void;
}

/** What a {@link FakeRun} needs of its Gateway. */
export interface RunHost {
  readonly transcripts: Transcripts;
  readonly broadcast: Broadcast;
  readonly now: () => number;
  readonly clock: Clock;
  /** Absent where files are not given out. */
  readonly files: Files | undefined;
  readonly filesMs: number;
}

/** What kind of run to start. */
export interface RunStart {
  readonly sessionKey: string;
  /** Where its rows go; default `sessionKey`. Undefined in `rowsIn` means the same. */
  readonly rowsIn?: string;
  readonly runId?: string;
  readonly kind: RunKind;
  readonly spawnedBy?: string;
  /** The row of what it was asked, and whether clients may see it. */
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
    delta(piece, { hold = false } = {}) {
      if (!isRunning()) return;
      if (heldPiece !== undefined) frames.delta(heldPiece, text);
      heldPiece = hold ? piece : undefined;
      text += piece;
      // Of a hidden run, a Gateway says nothing before it has ended.
      if (kind !== "hidden") transcripts.progressed(home.key, runId, text);
      frames.speak(text, piece);
      if (!hold) frames.delta(piece, text);
    },
    replace(whole) {
      if (!isRunning()) return;
      text = whole;
      heldPiece = undefined;
      if (kind !== "hidden") transcripts.progressed(home.key, runId, text);
      frames.speak(text, text, true);
      frames.delta(text, text, true);
    },
    final(whole = text, files = []) {
      end("done", () => {
        const said = text;
        text = whole;
        frames.usage();
        if (files.length > 0)
          frames.files(
            whole,
            files.map(({ name }) => name),
          );
        const isKept = kind === "send" && host.files !== undefined;
        const lines = isKept ? [] : files.map(({ name }) => `MEDIA:./${name}`);
        const written = whole === "" ? lines.join("\n") : [whole, ...lines].join("\n");
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
