import { isInboxError } from "../errors.ts";
import type { Clock } from "../kit/clock.ts";
import { ExpiringMap } from "../kit/expiring-map.ts";
import { startTimer, type Timer } from "../kit/timer.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { fields, readId, readWords } from "../protocol/fields.ts";
import { jobIdOf } from "../protocol/origin.ts";
import type { SessionRow } from "../protocol/transcript-row.ts";
import type { Supervisor } from "../runs/supervisor.ts";
import type { ChatEvent, GatewayEvent } from "../types.ts";
import type { Bookmark } from "./bookmark.ts";
import type { Generation } from "./generation.ts";
import type { Histories } from "./history/history.ts";
import type { Address } from "./sessions/address.ts";
import type { OurSessions } from "./sessions/our-sessions.ts";

/** What {@link BoundJobs} need. */
export interface BoundJobsOptions {
  readonly gateway: string;
  readonly clock: Clock;
  readonly ours: OurSessions;
  readonly supervisor: Pick<Supervisor, "knows" | "hint" | "learnJob">;
  readonly bookmark: Bookmark;
  readonly ledger: Pick<Ledger, "solicit">;
  readonly generation: Generation;
  /** Absent when the source only listens. */
  readonly histories?: Histories | undefined;
  /** Sends an event down the one path. */
  readonly emit: (event: GatewayEvent) => void;
}

/** The final of a bound job's run, kept until it is known where its message belongs. */
interface Kept {
  readonly final: GatewayEvent;
  readonly jobId: string;
  readonly conversation: string;
  /** Where the history of the run is. */
  readonly address: Address;
  /** When it was heard, in ms since the epoch by our clock. */
  readonly at: number;
  timer: Timer | undefined;
  /** Its copy may be in the history, because there was no connection, or its job has finished. */
  isToLookUp: boolean;
  /** When its job began, by the Gateway's clock, if that is known. Older copies are of earlier runs. */
  began?: number;
}

/** The final of a job of which it is not known whether it is bound. */
interface Unknown {
  readonly final: GatewayEvent;
  readonly jobId: string;
  readonly timer: Timer;
}

/**
 * The longest wait for the copy, in ms. It is written about 80 ms after the final, and then the job is reported as
 * finished. On a busy machine that takes many seconds.
 */
const LONGEST_WAIT_MS = 60_000;
/** How long after the job's end a source that only listens waits for the copy's row, in ms. It came up to 60 ms later. */
const LATE_ROW_MS = 1_000;
/** How long a row is remembered until its final comes, in ms. */
const ROW_MS = 60_000;
const MAX_JOBS = 20_000;
/**
 * How many of a conversation's newest rows are searched for a copy, at least, and how far apart copy and final may be,
 * in ms.
 */
const LOOKED_AT = 50;
const APART_MS = 120_000;
/** How long a relocated run is remembered, in ms. It may be found again as long as its copy's id is known. */
const RELOCATED_MS = 86_400_000;

/**
 * Cron jobs that are bound to a conversation ("remind me tomorrow"). They stream under their own key, and the Gateway
 * usually puts a copy into the conversation. There is one message, in the conversation. With a copy, the copy is the
 * message and the run is `relocated`. Without one, the run is the message, under the conversation's key.
 */
export class BoundJobs {
  private readonly options: BoundJobsOptions;
  /** The conversation of each job. */
  private readonly conversations = new Map<string, string>();
  private readonly kept = new Map<string, Kept>();
  /** All jobs whose target is known, bound or not. */
  private readonly known = new Set<string>();
  /** Finals of other jobs, by run. */
  private readonly unknown = new Map<string, Unknown>();
  /** Copies whose runs have not been heard yet. */
  private readonly copies: ExpiringMap<number>;
  /** Copies that were found in a history before their rows came, by their run ids. */
  private readonly foundEarly: ExpiringMap<true>;
  private readonly lookingUp = new Set<Promise<void>>();
  /** The jobs that have not finished. Their copies may still come. */
  private readonly running = new Set<string>();
  private isConnected = false;

  constructor(options: BoundJobsOptions) {
    this.options = options;
    const limits = { windowMs: ROW_MS, maxKeys: MAX_JOBS, clock: options.clock };
    this.copies = new ExpiringMap(limits);
    this.foundEarly = new ExpiringMap(limits);
  }

  /** Reads the Gateway's jobs. Without them, only jobs that fire while we listen are known. */
  load(jobs: readonly unknown[]): void {
    this.running.clear();
    for (const job of jobs) {
      this.learn(job);
      const { id: raw, state } = fields(job);
      const id = readId(raw);
      if (id !== undefined && typeof fields(state)["runningAtMs"] === "number") this.addRunning(id);
    }
  }

  /** The connection is lost. What comes now is missed. */
  lost(): void {
    this.isConnected = false;
    for (const kept of this.kept.values()) kept.isToLookUp = true;
  }

  /** The connection is back, and the jobs are loaded, if the Gateway gives them. */
  resume(): void {
    this.isConnected = true;
    for (const runId of [...this.unknown.keys()]) this.pass(runId);
    for (const kept of [...this.kept.values()]) if (kept.isToLookUp) this.lookUpSoon(kept);
  }

  /** Reads a `cron` event. */
  event(raw: Readonly<Record<string, unknown>>): void {
    const { supervisor, gateway } = this.options;
    const { action, job } = raw;
    this.learn(job);
    const jobId = readId(raw["jobId"]);
    if (jobId === undefined) return;
    // Before 2026.9.5 this is the run's id.
    const runId = readId(raw["sessionId"]);
    if (runId !== undefined) supervisor.hint(gateway, runId, { origin: "cron", job: { id: jobId } });
    if (action === "removed") this.conversations.delete(jobId);
    if (action === "started") this.addRunning(jobId);
    if (action !== "finished" && action !== "removed") return;
    this.running.delete(jobId);
    if (action === "removed") return;
    const { runAtMs } = raw;
    for (const kept of this.ofJob(jobId)) {
      if (typeof runAtMs === "number") kept.began = runAtMs;
      this.jobEnded(kept);
    }
  }

  /** The copy is written before the job's end is reported. Its row may come later. */
  private jobEnded(kept: Kept): void {
    kept.isToLookUp = true;
    if (this.options.histories !== undefined) return this.lookUpSoon(kept);
    kept.timer?.cancel();
    kept.timer = startTimer(this.options.clock, LATE_ROW_MS, () => this.place(kept, "here"));
  }

  /** A copy has come into a conversation, live. */
  copied(copy: SessionRow): void {
    const jobId = jobOf(copy);
    if (jobId === undefined || this.foundEarly.get(copy.runId ?? "") !== undefined) return;
    const [kept] = this.ofJob(jobId);
    if (kept === undefined) this.copies.set(jobId, (this.copies.get(jobId) ?? 0) + 1);
    else this.place(kept, "elsewhere");
  }

  /** A copy was found in the history of its conversation. */
  found(copy: SessionRow): void {
    if (copy.runId !== undefined) this.foundEarly.set(copy.runId, true);
    const kept = this.ofJob(jobOf(copy) ?? "").find(({ final, at }) =>
      isCopy(copy, final.event.messageText, final.event.writtenAt ?? this.options.bookmark.gatewayTime(at)),
    );
    if (kept !== undefined) this.place(kept, "elsewhere");
  }

  /** Whether the event is kept until it is known where its message belongs. Then it is sent again. */
  keeps(final: GatewayEvent): boolean {
    const { event } = final;
    if (event.state !== "final" || event.placed !== undefined || event.sessionKey === undefined) return false;
    const jobId = jobIdOf("", event.sessionKey);
    if (jobId === undefined) return false;
    const conversation = this.conversations.get(jobId);
    if (conversation === undefined) return this.keepsUnknown(final, jobId);
    if (!this.isToBePlaced(event, conversation)) return false;
    if (!this.kept.has(event.runId)) this.keep(final, jobId, conversation);
    return true;
  }

  /** Keeps the final of a job that may be bound until the jobs are loaded. */
  private keepsUnknown(final: GatewayEvent, jobId: string): boolean {
    const { histories, bookmark, clock } = this.options;
    const { runId } = final.event;
    if (histories === undefined || this.isConnected || this.known.has(jobId) || !this.isUnsettled(runId)) return false;
    if (this.unknown.has(runId) || this.unknown.size >= MAX_JOBS) return this.unknown.has(runId);
    const timer = startTimer(clock, LONGEST_WAIT_MS, () => this.pass(runId));
    this.unknown.set(runId, { final, jobId, timer });
    bookmark.hear(this.addressOf(final), { opens: opened({ final }) });
    return true;
  }

  /** The jobs are loaded, or will not be. */
  private pass(runId: string): void {
    const { emit, bookmark } = this.options;
    const unknown = this.unknown.get(runId);
    if (unknown === undefined) return;
    const { final, jobId, timer } = unknown;
    this.unknown.delete(runId);
    timer.cancel();
    const { seq: _, ...event } = final.event;
    const conversation = this.conversations.get(jobId);
    if (conversation !== undefined && this.isToBePlaced(event, conversation))
      return this.keep(final, jobId, conversation, { isToLookUp: true });
    emit({ ...final, event: { ...event, placed: "here" } });
    bookmark.ended(this.addressOf(final), opened({ final }));
  }

  private addressOf({ event }: GatewayEvent): Address {
    return this.options.generation.historyOf({ key: event.sessionKey ?? "" });
  }

  /** Whether runs with this key belong to a conversation of ours. */
  isOurs(sessionKey: string): boolean {
    const [, conversation] = this.boundTo(sessionKey);
    return conversation !== undefined && this.options.ours.has(conversation);
  }

  /** Resolves when every lookup in progress is done. */
  async idle(): Promise<void> {
    while (this.lookingUp.size > 0) await Promise.all(this.lookingUp);
  }

  /** Sends every kept event, because no copy will be heard any longer. */
  stop(): void {
    for (const runId of [...this.unknown.keys()]) this.pass(runId);
    for (const kept of [...this.kept.values()]) this.place(kept, "here");
    this.copies.clear();
    this.foundEarly.clear();
  }

  /** The job whose runs have this key, and its conversation. */
  private boundTo(sessionKey: string): readonly [jobId?: string, conversation?: string] {
    const jobId = jobIdOf("", sessionKey);
    const conversation = jobId === undefined ? undefined : this.conversations.get(jobId);
    return jobId === undefined || conversation === undefined ? [] : [jobId, conversation];
  }

  private learn(raw: unknown): void {
    const job = fields(raw);
    const id = readId(job["id"]);
    if (id === undefined) return;
    const name = readWords(job["name"]);
    if (name !== undefined) this.options.supervisor.learnJob(this.options.gateway, { id, name });
    const { sessionTarget } = job;
    if (typeof sessionTarget === "string") this.known.add(id);
    dropOldest(this.known);
    const conversation = sessionTarget === "current" ? readId(job["sessionKey"]) : undefined;
    this.conversations.delete(id);
    if (conversation === undefined) return;
    this.conversations.set(id, conversation);
    dropOldest(this.conversations);
  }

  private isToBePlaced({ runId }: ChatEvent, conversation: string): boolean {
    return this.isUnsettled(runId) && this.options.ours.has(conversation);
  }

  private isUnsettled(runId: string): boolean {
    const { supervisor, gateway } = this.options;
    return supervisor.knows(gateway, runId) !== "settled";
  }

  private keep(
    final: GatewayEvent,
    jobId: string,
    conversation: string,
    { isToLookUp = final.event.recovered === true } = {},
  ): void {
    const { bookmark } = this.options;
    const { event } = final;
    const address = this.addressOf(final);
    const kept: Kept = {
      final,
      jobId,
      conversation,
      address,
      at: this.options.clock.now(),
      timer: undefined,
      isToLookUp,
    };
    const copies = this.copies.get(jobId) ?? 0;
    this.kept.set(event.runId, kept);
    bookmark.hear(address, { opens: opened(kept) });
    if (copies > 0) {
      this.copies.set(jobId, copies - 1);
      this.place(kept, "elsewhere");
    } else if (isToLookUp) this.lookUpSoon(kept);
    else this.wait(kept);
  }

  /** Waits for the copy, or for the end of the job. */
  private wait(kept: Kept): void {
    kept.timer ??= startTimer(this.options.clock, LONGEST_WAIT_MS, () => {
      kept.timer = undefined;
      if (kept.isToLookUp) this.lookUpSoon(kept, { isLast: true });
      else this.place(kept, "here");
    });
  }

  private lookUpSoon(kept: Kept, { isLast = false } = {}): void {
    const { histories } = this.options;
    if (histories === undefined) return this.place(kept, "here");
    // The next connection looks it up.
    if (!this.isConnected) return;
    const looked: Promise<void> = this.lookUp(kept, histories, isLast).finally(() => this.lookingUp.delete(looked));
    this.lookingUp.add(looked);
  }

  private addRunning(jobId: string): void {
    this.running.add(jobId);
    dropOldest(this.running);
  }

  /** Searches for the copy in the conversation's history. `isLast`: no more is waited for. */
  private async lookUp(kept: Kept, histories: Histories, isLast: boolean): Promise<void> {
    const { bookmark } = this.options;
    const { conversation, jobId, final, at } = kept;
    const { event } = final;
    // All times are from the Gateway's clock.
    const writtenAt = event.writtenAt ?? bookmark.gatewayTime(at);
    const place = writtenAt === undefined ? undefined : { at: writtenAt - APART_MS };
    const request = { address: { key: conversation }, place, believesTimes: true, atLeast: LOOKED_AT };
    const mayCome = this.running.has(jobId) && !isLast;
    try {
      const copy = await histories.use(request, async ({ rows }) =>
        rows.findLast(
          (row) => jobOf(row) === jobId && isSince(row, kept.began) && isCopy(row, event.messageText, writtenAt),
        ),
      );
      if (this.kept.get(event.runId) !== kept) return;
      if (copy?.runId !== undefined) {
        this.foundEarly.set(copy.runId, true);
        this.place(kept, "elsewhere");
      } else if (mayCome) this.wait(kept);
      else this.place(kept, "here");
    } catch (error) {
      if (!isInboxError(error, "ERR_INBOX_NO_LINK")) return this.place(kept, "here");
      // A final that was heard is searched for again with the next connection. The next round finds any other again.
      if (event.recovered !== true) return;
      this.kept.delete(event.runId);
      bookmark.doubt(kept.address);
    }
  }

  private place(kept: Kept, placed: "here" | "elsewhere"): void {
    const { emit, bookmark, ledger, clock } = this.options;
    const { final, jobId, conversation, address, timer } = kept;
    // Without `seq`, because the event was heard once already and would be dropped as a repeat.
    const { seq: _, ...event } = final.event;
    if (!this.kept.delete(event.runId)) return;
    timer?.cancel();
    // Another inbox may find the run later, but not the copy: the conversation may have been reset, or the job deleted.
    if (placed === "elsewhere") void ledger.solicit(event.runId, clock.now() + RELOCATED_MS);
    const key = placed === "here" ? conversation : event.sessionKey;
    const known = { placed, origin: "cron", job: { id: jobId } } as const;
    emit({ ...final, event: { ...event, ...known, ...(key !== undefined && { sessionKey: key }) } });
    bookmark.ended(address, opened(kept));
  }

  private ofJob(jobId: string): readonly Kept[] {
    return [...this.kept.values()].filter((kept) => kept.jobId === jobId);
  }
}

/** Drops the oldest of more than `MAX_JOBS` jobs. */
function dropOldest(jobs: Set<string> | Map<string, unknown>): void {
  const [oldest] = jobs.keys();
  if (jobs.size > MAX_JOBS && oldest !== undefined) jobs.delete(oldest);
}

/** The job that a row is a copy for. */
function jobOf({ kind, runId }: SessionRow): string | undefined {
  return kind === "automation" && runId !== undefined ? jobIdOf(runId, undefined) : undefined;
}

function isCopy(row: SessionRow, messageText: string | undefined, writtenAt: number | undefined): boolean {
  const isNear = row.at === undefined || writtenAt === undefined || Math.abs(row.at - writtenAt) <= APART_MS;
  return isNear && (messageText === undefined || row.truncated || row.text === messageText.trim());
}

/** Whether a copy is of a run that began at `began` or later. Its run id has the time. */
function isSince({ runId = "" }: SessionRow, began = 0): boolean {
  const at = /:(\d+)$/.exec(runId)?.[1];
  return at === undefined || Number(at) >= began;
}

function opened({ final }: Pick<Kept, "final">): string {
  return `bound ${final.event.runId}`;
}
