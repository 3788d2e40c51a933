import type { Clock } from "../kit/clock.ts";
import { ExpiringMap } from "../kit/expiring-map.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { readSessionKey } from "../protocol/chat-event.ts";
import { fields, readId } from "../protocol/fields.ts";
import { readSessionRow, type SessionRow } from "../protocol/transcript-row.ts";
import type { Supervisor } from "../runs/supervisor.ts";
import type { Progress } from "./bookmark.ts";
import { historyCursorName } from "./catch-up.ts";
import { originAfter } from "./history/ended-runs.ts";
import type { HeldRun } from "./pending-ends.ts";
import type { Teller } from "./report-ends.ts";
import { isHiddenUnlessSubscribed, type OurSessions } from "./sessions/our-sessions.ts";

/** What {@link LiveRows} need. */
export interface LiveRowsOptions {
  readonly gateway: string;
  readonly clock: Clock;
  readonly ledger: Ledger;
  readonly ttlMs: number;
  readonly maxRuns: number;
  readonly supervisor: Pick<Supervisor, "hint">;
  readonly ours: OurSessions;
  readonly progress: Progress;
  readonly teller: Teller;
  /** Keeps a run back until its own end should have come. */
  readonly hold: (run: HeldRun) => void;
  /** Tells a run that is all in one row. */
  readonly tellRow: (row: SessionRow, sessionKey: string) => void;
  /** A session of ours was heard of. */
  readonly join: (sessionKey: string) => void;
  /** A session is gone. */
  readonly leave: (sessionKey: string) => void;
}

/** How far before its announcement the end of a run may be written, in ms. */
const LATE_ANNOUNCEMENT_MS = 60_000;

/** Reads the events beside `chat`: rows of transcripts, sessions that come and go, where runs come from. */
export class LiveRows {
  private readonly options: LiveRowsOptions;
  /** Runs whose last row is not all of them. */
  private readonly stepped: ExpiringMap<true>;
  /** The last row of a session, where it is a cron job's prompt. */
  private readonly prompts: ExpiringMap<SessionRow>;

  constructor(options: LiveRowsOptions) {
    this.options = options;
    const { clock, ttlMs, maxRuns } = options;
    this.stepped = new ExpiringMap({ windowMs: ttlMs, maxKeys: maxRuns, clock });
    this.prompts = new ExpiringMap({ windowMs: ttlMs, maxKeys: maxRuns, clock });
  }

  /** Whether the run had parts before its end. */
  hasSteps(runId: string): boolean {
    return this.stepped.get(runId) !== undefined;
  }

  clear(): void {
    this.stepped.clear();
    this.prompts.clear();
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
      case "sessions.changed":
        this.changed(raw);
        break;
    }
    this.options.progress.hear(raw["ts"]);
  }

  /** The session that an event speaks of, if it is ours. */
  private sessionOf(raw: Record<string, unknown>): string | undefined {
    const { ours, join } = this.options;
    const session = fields(raw["session"]);
    const key = readSessionKey(raw["sessionKey"] ?? session["key"]);
    const spawnedBy = readId(raw["spawnedBy"] ?? session["spawnedBy"]);
    if (key === undefined || !ours.has(key, spawnedBy)) return undefined;
    if (isHiddenUnlessSubscribed(key)) join(key);
    return key;
  }

  private agent(raw: Record<string, unknown>): void {
    const runId = readId(raw["runId"]);
    if (this.sessionOf(raw) === undefined || raw["isHeartbeat"] !== true || runId === undefined) return;
    this.options.supervisor.hint(this.options.gateway, runId, "heartbeat");
  }

  private message(raw: Record<string, unknown>): void {
    const sessionKey = this.sessionOf(raw);
    const row = sessionKey === undefined ? undefined : readSessionRow(raw["message"]);
    if (sessionKey === undefined || row === undefined) return;
    this.learnOrigin(sessionKey, row);
    const { runId, kind } = row;
    if (runId === undefined || kind === "prompt") return;
    if (kind === "step") this.stepped.set(runId, true);
    else if (kind === "automation") this.options.tellRow(row, sessionKey);
    else this.hold(runId, sessionKey, [row]);
  }

  private learnOrigin(sessionKey: string, row: SessionRow): void {
    const { supervisor, gateway } = this.options;
    const before = this.prompts.get(sessionKey);
    this.prompts.delete(sessionKey);
    const { kind, runId, origin } = row;
    if (kind === "prompt" && runId === undefined) this.prompts.set(sessionKey, row);
    else if (kind === "prompt" && runId !== undefined && origin !== undefined) supervisor.hint(gateway, runId, origin);
    else if (runId !== undefined) {
      const answered = originAfter(before, row);
      if (answered !== undefined) supervisor.hint(gateway, runId, answered);
    }
  }

  private changed(raw: Record<string, unknown>): void {
    const { phase, reason } = raw;
    const runId = readId(raw["runId"]);
    if (reason === "delete") return this.deleted(raw);
    const sessionKey = this.sessionOf(raw);
    if (sessionKey === undefined || runId === undefined) return;
    if (phase === "end" || phase === "error") this.hold(runId, sessionKey, []);
  }

  private deleted(raw: Record<string, unknown>): void {
    const { leave, ledger, gateway } = this.options;
    const key = readSessionKey(raw["sessionKey"]);
    if (key === undefined) return;
    leave(key);
    // A deleted session's place means nothing in the one that follows it under the same key.
    ledger.setCursor(historyCursorName(gateway, key), undefined);
  }

  private hold(runId: string, sessionKey: string, rows: readonly SessionRow[]): void {
    const { teller, progress, hold } = this.options;
    if (teller.isKnown(runId, rows.some(({ kind }) => kind === "reply" || kind === "injected") ? "final" : "error"))
      return;
    const at = rows[0]?.at;
    const since = at === undefined ? progress.now() - LATE_ANNOUNCEMENT_MS : at - 1;
    hold({ runId, sessionKey, rows, since, recovered: false, tries: 0 });
  }
}
