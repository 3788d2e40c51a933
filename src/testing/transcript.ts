import { randomBytes, randomUUID } from "node:crypto";
import { gatewayKey } from "./gateway-key.ts";

/** A transcript row as in `chat.history`: `role`, `content`, `timestamp`, `__openclaw` and more. */
export type TranscriptRow = Readonly<Record<string, unknown>>;

/** A row, and what the Gateway knows of it. */
export interface StoredRow {
  row: TranscriptRow;
  readonly id: string;
  readonly runId?: string;
  /** Its number among the rows that clients see, from 1. */
  readonly seq: number;
  /** Its number among all rows of the file. */
  readonly rawSeq: number;
  /** Whether clients do not see it, such as the prompt of a heartbeat. */
  readonly hidden: boolean;
}

/** A run that goes on. `startedAt` is in ms since the epoch; `text` is the text so far. */
export interface RunningRun {
  readonly runId: string;
  readonly startedAt: number;
  text: string;
}

/** What the last run of a session does, or how it ended. */
export type SessionStatus = "running" | "done" | "failed" | "killed";

/** One session: its rows and the runs that go on. Times are in ms since the epoch. */
export interface FakeSession {
  readonly key: string;
  readonly sessionId: string;
  readonly createdAt: number;
  readonly rows: StoredRow[];
  /** The rows by id. */
  readonly byId: Map<string, StoredRow>;
  /** The rows by the id of their run. */
  readonly byRun: Map<string, StoredRow[]>;
  /** The runs that go on, by id. */
  readonly running: Map<string, RunningRun>;
  /** Changes when the transcript is rewritten. Older cursors are answered with `reset`. */
  generation: string;
  updatedAt: number;
  startedAt?: number;
  endedAt?: number;
  status?: SessionStatus;
  lastRunId?: string;
  createdVia: "run" | "cron" | "operator";
}

/** The run of a row, and whether clients do not see the row. Default: no run, visible. */
export interface RowPlace {
  readonly runId?: string;
  readonly hidden?: boolean;
}

/** The sessions of a fake Gateway, by key. They survive a restart. */
export interface Transcripts {
  /** The session of this key. Creates it when there is none. */
  session(key: string, createdVia?: FakeSession["createdVia"]): FakeSession;
  /** The session of this key, if there is one. */
  find(key: string): FakeSession | undefined;
  /** All sessions, the latest first. */
  sessions(): readonly FakeSession[];
  /** Adds a row. No event is sent, as if it had been written while nobody listened. */
  add(key: string, row: TranscriptRow, place?: RowPlace): StoredRow;
  /** Replaces the row of this id. No event is sent. Does nothing when there is no such row. */
  replace(key: string, id: string, row: TranscriptRow): void;
  /** The rows of a session that clients see, oldest first. */
  rows(key: string): readonly TranscriptRow[];
  /** Has every earlier cursor of a session answered with `{ kind: "reset" }`. */
  renew(key: string): void;
  /** Begins a run. */
  started(key: string, runId: string): void;
  /** Sets the text so far of a run. */
  progressed(key: string, runId: string, text: string): void;
  /** Ends a run. */
  ended(key: string, runId: string, status: SessionStatus): void;
  /** Forgets the runs that go on, as a crash does. */
  crash(): void;
}

/** {@link Transcripts} without sessions. `now` returns the Gateway's time, in ms since the epoch. */
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

/** A session without rows, in no {@link Transcripts}. */
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

// A Gateway's transcript file begins with three rows that are no messages.
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
