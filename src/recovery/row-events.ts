import type { Clock } from "../kit/clock.ts";
import { ExpiringMap } from "../kit/expiring-map.ts";
import { fields, readId } from "../protocol/fields.ts";
import { readSessionRow, type SessionRow } from "../protocol/transcript-row.ts";
import type { Supervisor } from "../runs/supervisor.ts";
import type { ChatEvent } from "../types.ts";
import type { AnnouncedFiles } from "./announced-files.ts";
import { type Bookmark, placeOfRow } from "./bookmark.ts";
import type { BoundJobs } from "./bound-jobs.ts";
import type { Generation } from "./generation.ts";
import { namelessRunId, promptOf } from "./history/ended-runs.ts";
import type { NamelessRuns } from "./history/nameless-runs.ts";
import type { PendingEnds } from "./pending-ends.ts";
import type { ReportEnds } from "./report-ends.ts";
import type { Address } from "./sessions/address.ts";
import type { OurSessions } from "./sessions/our-sessions.ts";
import { readSession } from "./sessions/session-list.ts";
import type { Subscriptions } from "./sessions/subscriptions.ts";

/** What {@link RowEvents} need. */
export interface RowEventsOptions {
  readonly gateway: string;
  readonly clock: Clock;
  readonly ttlMs: number;
  readonly maxRuns: number;
  readonly supervisor: Pick<Supervisor, "hint">;
  readonly ours: OurSessions;
  readonly bookmark: Bookmark;
  readonly pending: PendingEnds;
  readonly bound: BoundJobs;
  readonly files: AnnouncedFiles;
  readonly ends: ReportEnds;
  readonly nameless: NamelessRuns;
  readonly generation: Generation;
  /** Called with every row. */
  readonly onRow: (row: SessionRow, sessionKey: string) => void;
  /** Absent when the source only listens. */
  readonly subscriptions?: Subscriptions | undefined;
}

/** The session that an event is about. */
interface Spoken {
  /** The key that live events have. */
  readonly sessionKey: string;
  /** The address with its history. */
  readonly address: Address;
  readonly fingerprint: string | undefined;
  readonly sessionId: string | undefined;
}

/** Reads the events other than `chat`: rows of transcripts, sessions that come and go, origins of runs. */
export class RowEvents {
  private readonly options: RowEventsOptions;
  /** The last row of a session, if it is a prompt. */
  private readonly prompts: ExpiringMap<SessionRow>;
  /** The prompt of a session that no run and no words have followed yet. `"several"`: there is more than one. */
  private readonly waiting: ExpiringMap<SessionRow | "several">;
  /** The run of a session that has begun and not ended. */
  private readonly begun: ExpiringMap<string>;
  /** Whether there is a connection for subscriptions. */
  private isConnected = false;

  constructor(options: RowEventsOptions) {
    this.options = options;
    const { clock, ttlMs, maxRuns } = options;
    this.prompts = new ExpiringMap({ windowMs: ttlMs, maxKeys: maxRuns, clock });
    this.waiting = new ExpiringMap({ windowMs: ttlMs, maxKeys: maxRuns, clock });
    this.begun = new ExpiringMap({ windowMs: ttlMs, maxKeys: maxRuns, clock });
  }

  setConnected(isConnected: boolean): void {
    this.isConnected = isConnected;
    if (isConnected) return;
    // The end of a run may be missed, and the start of the next one.
    this.waiting.clear();
    // Without a history, a row after the cut can only be taken for that of the last run that began.
    if (this.options.subscriptions !== undefined) this.begun.clear();
  }

  clear(): void {
    this.prompts.clear();
    this.waiting.clear();
    this.begun.clear();
  }

  event({ event, payload }: { readonly event: string; readonly payload: unknown }): void {
    const raw = fields(payload);
    switch (event) {
      case "agent":
        this.agent(raw);
        break;
      case "session.message":
        this.message(raw);
        break;
      case "cron":
        this.options.bound.event(raw);
        break;
      case "sessions.changed":
        this.changed(raw);
        break;
    }
    this.options.bookmark.hearTime(raw["ts"]);
  }

  /**
   * Before 2026.8, a run in a channel begins under the channel's key and speaks in the agent's main session. So a run
   * that speaks has begun.
   */
  speaks({ runId, sessionKey }: ChatEvent): void {
    if (sessionKey === undefined || this.begun.get(sessionKey) === runId) return;
    if (!this.options.ends.isKnown(runId, "final")) this.begun.set(sessionKey, runId);
  }

  /** The session that an event is about, if it is ours. It is subscribed to from then on. */
  private sessionOf(raw: Readonly<Record<string, unknown>>): Spoken | undefined {
    const { ours, subscriptions, generation } = this.options;
    const within = fields(raw["session"]);
    const session = readSession({ ...raw, ...within }, raw["sessionKey"] ?? within["key"]);
    if (session === undefined || !ours.has(session.address.key, session.spawnedBy)) return undefined;
    const { address, fingerprint, sessionId } = session;
    if (this.isConnected && generation.isHidden(address)) void subscriptions?.add(address);
    const history = generation.historyOf(address);
    // Only events with this field describe the session. Others only name it.
    const isDescribed = within["updatedAt"] !== undefined;
    return { sessionKey: address.key, address: history, fingerprint: isDescribed ? fingerprint : undefined, sessionId };
  }

  private agent(raw: Readonly<Record<string, unknown>>): void {
    const runId = readId(raw["runId"]);
    const isOurs = this.sessionOf(raw) !== undefined;
    if (runId === undefined) return;
    // Also for a job's own session, because its message may belong to a conversation of ours.
    if (raw["stream"] === "assistant") this.options.files.event(runId, raw["data"]);
    if (!isOurs) return;
    if (raw["isHeartbeat"] === true) this.options.supervisor.hint(this.options.gateway, runId, { origin: "heartbeat" });
  }

  private message(raw: Readonly<Record<string, unknown>>): void {
    const { bookmark, pending, ends, generation } = this.options;
    const session = this.sessionOf(raw);
    const read = session === undefined ? undefined : readSessionRow(raw["message"], generation);
    if (session === undefined || read === undefined) return;
    const row = this.named(read, session.sessionKey);
    if (row.runId !== undefined) this.options.nameless.hearRow(row.runId, row, session.sessionKey);
    if (read.runId === undefined && row.runId !== undefined) this.options.nameless.name(row.runId, row);
    this.options.onRow(row, session.sessionKey);
    const { sessionKey, address, fingerprint, sessionId } = session;
    this.learnOrigin(sessionKey, row);
    const heard = { place: placeOfRow(row, sessionId), fingerprint };
    const { kind } = row;
    const runId = row.runId ?? (generation.hasNamelessRuns([row]) ? namelessId(row) : undefined);
    if (runId !== undefined) this.options.files.row(runId, row);
    if (kind === "step" && row.runId === undefined) pending.heardPart(`a run in ${sessionKey}`, address);
    if (kind === "step" && row.runId !== undefined && !ends.isKnown(row.runId, "final")) {
      pending.heardPart(row.runId, address);
      return bookmark.hear(address, { ...heard, opens: row.runId });
    }
    const isAnswer = this.options.nameless.isAnswer(row, sessionKey);
    const isEnd = kind !== "prompt" && kind !== "step" && runId !== undefined && !isAnswer;
    if (!isEnd || ends.isKnown(runId, kind === "failed" || kind === "aborted" ? "error" : "final")) {
      return bookmark.hear(address, heard);
    }
    bookmark.hear(address, { ...heard, opens: runId });
    const end = { runId, address, sessionKey, recovered: false };
    if (kind === "automation") {
      this.options.bound.copied(row);
      void pending.reportRow(row, end);
    } else pending.add({ ...end, row });
  }

  /** A row without a run id belongs to the run of its session that has begun and not ended. */
  private named(row: SessionRow, sessionKey: string): SessionRow {
    if (row.runId !== undefined || row.kind === "prompt") return row;
    const { generation } = this.options;
    if (!generation.hasNamelessRuns([row])) return row;
    const runId = this.begun.get(sessionKey);
    return runId === undefined ? row : { ...row, runId };
  }

  private learnOrigin(sessionKey: string, row: SessionRow): void {
    const { supervisor, gateway } = this.options;
    const before = this.prompts.get(sessionKey);
    this.prompts.delete(sessionKey);
    const { kind, runId } = row;
    if (kind === "prompt") {
      this.prompts.set(sessionKey, row);
      this.waiting.set(sessionKey, this.waiting.get(sessionKey) === undefined ? row : "several");
    } else this.waiting.delete(sessionKey);
    if (runId === undefined) return;
    const prompt = kind === "prompt" ? row : promptOf(before, row);
    if (prompt?.origin !== undefined) supervisor.hint(gateway, runId, prompt);
  }

  /**
   * The row of a run may come after its final. The prompt of a person in a channel is before its start, but does not name
   * it. With several prompts it is not certain whose run begins.
   */
  private begin(sessionKey: string, runId: string): void {
    const { supervisor, gateway } = this.options;
    const prompt = this.waiting.get(sessionKey);
    this.begun.set(sessionKey, runId);
    this.waiting.delete(sessionKey);
    if (prompt === undefined || prompt === "several" || prompt.runId !== undefined) return;
    if (prompt.origin === "requested") supervisor.hint(gateway, runId, { origin: "requested" });
  }

  private changed(raw: Readonly<Record<string, unknown>>): void {
    const { bookmark, pending, ends, subscriptions, generation } = this.options;
    const { phase, reason } = raw;
    const runId = readId(raw["runId"]);
    if (reason === "delete") {
      const gone = readSession(raw, raw["sessionKey"]);
      if (gone === undefined) return;
      subscriptions?.forget(gone.address);
      return bookmark.forget(generation.historyOf(gone.address));
    }
    const session = this.sessionOf(raw);
    if (session === undefined) return;
    const { sessionKey, address, fingerprint } = session;
    if (phase === "start" && runId !== undefined) this.begin(sessionKey, runId);
    if (phase === "end" || phase === "error") this.begun.delete(sessionKey);
    const isEnd = runId !== undefined && (phase === "end" || phase === "error");
    if (!isEnd || ends.isKnown(runId, "error")) return bookmark.hear(address, { fingerprint });
    bookmark.hear(address, { fingerprint, opens: runId });
    pending.add({ runId, address, sessionKey, recovered: false });
  }
}

/** The id of a run of which only this row is known. */
function namelessId({ id }: SessionRow): string | undefined {
  return id === undefined ? undefined : namelessRunId(id);
}
