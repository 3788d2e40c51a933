import { randomBytes, randomUUID } from "node:crypto";
import { gatewayKey } from "./gateway-key.ts";

/** A transcript row as `chat.history` answers it: `role`, `content`, `timestamp`, `__openclaw`, ... */
export type TranscriptRow = Readonly<Record<string, unknown>>;

/** A row with what only the Gateway knows of it. */
export interface StoredRow {
  row: TranscriptRow;
  readonly id: string;
  readonly runId?: string;
  /** Place among the rows a client may see, and among everything written; both rise. */
  readonly seq: number;
  readonly rawSeq: number;
  /** A prompt of a heartbeat and the like: counted, never shown. */
  readonly hidden: boolean;
}

/** A run that has started and not ended. */
export interface RunningRun {
  readonly runId: string;
  readonly startedAt: number;
  text: string;
}

/** How the last run of a session ended. */
export type SessionStatus = "running" | "done" | "failed" | "killed";

/** One conversation: its rows and its running runs. */
export interface FakeSession {
  readonly key: string;
  readonly sessionId: string;
  readonly createdAt: number;
  readonly rows: StoredRow[];
  /** The same rows by id, and by the run that wrote them. */
  readonly byId: Map<string, StoredRow>;
  readonly byRun: Map<string, StoredRow[]>;
  readonly running: Map<string, RunningRun>;
  /** Changes when the transcript is rewritten; cursors of an earlier generation are answered `reset`. */
  generation: string;
  updatedAt: number;
  startedAt?: number;
  endedAt?: number;
  status?: SessionStatus;
  lastRunId?: string;
  createdVia: "run" | "cron" | "operator";
}

/** What to add besides the row itself. */
export interface RowPlace {
  readonly runId?: string;
  readonly hidden?: boolean;
}

/** Every conversation of a fake Gateway, by key as a Gateway writes it. Outlives restarts. */
export interface Transcripts {
  /** The session of that key, made when it is not there. */
  session(key: string, createdVia?: FakeSession["createdVia"]): FakeSession;
  find(key: string): FakeSession | undefined;
  /** Latest first. */
  sessions(): readonly FakeSession[];
  /** Writes a row, as if it had been said while nobody listened: no event is sent. */
  add(key: string, row: TranscriptRow, place?: RowPlace): StoredRow;
  /** Rewrites the row of that id; no event is sent. Nothing when there is none. */
  replace(key: string, id: string, row: TranscriptRow): void;
  /** The rows of a session that a client may see, oldest first. */
  rows(key: string): readonly TranscriptRow[];
  /** Rewrites a session's transcript, so that every cursor given out for it is answered `{ kind: "reset" }`. */
  renew(key: string): void;
  started(key: string, runId: string): void;
  /** `text` is all that the run has said so far. */
  progressed(key: string, runId: string, text: string): void;
  ended(key: string, runId: string, status: SessionStatus): void;
  /** Forgets the running runs of every session, as a crash does. */
  crash(): void;
}

/** Empty {@link Transcripts}; `now` is the Gateway's clock. */
export function createTranscripts(now: () => number): Transcripts {
  const byKey = new Map<string, FakeSession>();

  function session(key: string, createdVia: FakeSession["createdVia"] = "run"): FakeSession {
    const kept = gatewayKey(key);
    const known = byKey.get(kept);
    if (known !== undefined) return known;
    const made = newSession(kept, createdVia, now());
    byKey.set(kept, made);
    return made;
  }

  return {
    session,
    find: (key) => byKey.get(gatewayKey(key)),
    sessions: () => [...byKey.values()].sort((a, b) => b.updatedAt - a.updatedAt),
    add(key, row, { runId, hidden = false } = {}) {
      const home = session(key);
      const stored = store(home, row, now(), runId, hidden);
      home.rows.push(stored);
      home.byId.set(stored.id, stored);
      if (stored.runId !== undefined) home.byRun.set(stored.runId, [...(home.byRun.get(stored.runId) ?? []), stored]);
      home.updatedAt = now();
      return stored;
    },
    replace(key, id, row) {
      const stored = session(key).byId.get(id);
      if (stored !== undefined) stored.row = row;
    },
    rows: (key) => (byKey.get(gatewayKey(key))?.rows ?? []).filter((stored) => !stored.hidden).map(({ row }) => row),
    renew(key) {
      session(key).generation = newGeneration();
    },
    started(key, runId) {
      const home = session(key);
      home.running.set(runId, { runId, startedAt: now(), text: "" });
      Object.assign(home, { status: "running", startedAt: now(), updatedAt: now() });
    },
    progressed(key, runId, text) {
      const run = session(key).running.get(runId);
      if (run !== undefined) run.text = text;
    },
    ended(key, runId, status) {
      const home = session(key);
      home.running.delete(runId);
      Object.assign(home, {
        status: home.running.size > 0 ? "running" : status,
        lastRunId: runId,
        endedAt: now(),
        updatedAt: now(),
      });
    },
    crash() {
      for (const { running } of byKey.values()) running.clear();
    },
  };
}

/** A session without rows that no {@link Transcripts} holds. */
export function newSession(key: string, createdVia: FakeSession["createdVia"], now: number): FakeSession {
  return {
    key: gatewayKey(key),
    sessionId: randomUUID(),
    createdAt: now,
    rows: [],
    byId: new Map(),
    byRun: new Map(),
    running: new Map(),
    generation: newGeneration(),
    updatedAt: now,
    createdVia,
  };
}

// A Gateway's transcript files begin with three rows that are not messages.
const FIRST_RAW_SEQ = 4;

function store(
  home: FakeSession,
  row: TranscriptRow,
  now: number,
  runId: string | undefined,
  hidden: boolean,
): StoredRow {
  const last = home.rows.at(-1);
  const seq = (last?.seq ?? 0) + 1;
  const rawSeq = (last?.rawSeq ?? FIRST_RAW_SEQ - 1) + 1;
  const given = (row["__openclaw"] ?? {}) as Readonly<Record<string, unknown>>;
  const id = typeof given["id"] === "string" ? given["id"] : randomUUID();
  const known = runId ?? given["runId"];
  const mark = {
    ...(typeof known === "string" ? { runId: known } : {}),
    ...given,
    id,
    ...(typeof row["idempotencyKey"] === "string" ? { idempotencyKey: row["idempotencyKey"] } : {}),
    recordTimestampMs: now,
    transcriptPosition: { source: home.sessionId, rawSeq },
    seq,
    ...(last?.hidden === true && row["role"] === "assistant" ? { turnBoundary: true } : {}),
  };
  const stored = { row: { ...row, __openclaw: mark }, id, seq, rawSeq, hidden };
  return typeof known === "string" ? { ...stored, runId: known } : stored;
}

function newGeneration(): string {
  return randomBytes(16).toString("hex");
}
