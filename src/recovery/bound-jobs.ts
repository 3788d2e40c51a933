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
  timer: Timer | undefined;
}

/**
 * The longest wait for the copy, in ms. Its row comes about 80 ms after the final, and then the job is reported as
 * finished. On a busy machine that takes many seconds.
 */
const LONGEST_WAIT_MS = 60_000;
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
  /** Copies whose runs have not been heard yet. */
  private readonly copies: ExpiringMap<number>;
  private readonly lookingUp = new Set<Promise<void>>();

  constructor(options: BoundJobsOptions) {
    this.options = options;
    this.copies = new ExpiringMap({ windowMs: ROW_MS, maxKeys: MAX_JOBS, clock: options.clock });
  }

  /** Reads the Gateway's jobs. Without them, only jobs that fire while we listen are known. */
  load(jobs: readonly unknown[]): void {
    for (const job of jobs) this.learn(job);
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
    if (action === "finished") for (const kept of this.ofJob(jobId)) this.place(kept, "here");
  }

  /** A copy has come into a conversation, live. */
  copied(copy: SessionRow): void {
    const jobId = jobOf(copy);
    if (jobId === undefined) return;
    const [kept] = this.ofJob(jobId);
    if (kept === undefined) this.copies.set(jobId, (this.copies.get(jobId) ?? 0) + 1);
    else this.place(kept, "elsewhere");
  }

  /** Whether the event is kept until it is known where its message belongs. Then it is sent again. */
  keeps(final: GatewayEvent): boolean {
    const { event } = final;
    if (event.state !== "final" || event.placed !== undefined || event.sessionKey === undefined) return false;
    const [jobId, conversation] = this.boundTo(event.sessionKey);
    if (jobId === undefined || conversation === undefined || !this.isToBePlaced(event, conversation)) return false;
    if (!this.kept.has(event.runId)) this.keep(final, jobId, conversation);
    return true;
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
    for (const kept of [...this.kept.values()]) this.place(kept, "here");
    this.copies.clear();
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
    const conversation = job["sessionTarget"] === "current" ? readId(job["sessionKey"]) : undefined;
    this.conversations.delete(id);
    if (conversation === undefined) return;
    this.conversations.set(id, conversation);
    const [oldest] = this.conversations.keys();
    if (this.conversations.size > MAX_JOBS && oldest !== undefined) this.conversations.delete(oldest);
  }

  private isToBePlaced({ runId }: ChatEvent, conversation: string): boolean {
    const { supervisor, gateway, ours } = this.options;
    return supervisor.knows(gateway, runId) !== "settled" && ours.has(conversation);
  }

  private keep(final: GatewayEvent, jobId: string, conversation: string): void {
    const { clock, bookmark, generation, histories } = this.options;
    const { event } = final;
    const address = generation.historyOf({ key: event.sessionKey ?? "" });
    const kept: Kept = { final, jobId, conversation, address, timer: undefined };
    const copies = this.copies.get(jobId) ?? 0;
    this.kept.set(event.runId, kept);
    bookmark.hear(address, { opens: opened(kept) });
    if (copies > 0) {
      this.copies.set(jobId, copies - 1);
      this.place(kept, "elsewhere");
    } else if (event.recovered === true && histories !== undefined) {
      const looked: Promise<void> = this.lookUp(kept, histories).finally(() => this.lookingUp.delete(looked));
      this.lookingUp.add(looked);
    } else kept.timer = startTimer(clock, LONGEST_WAIT_MS, () => this.place(kept, "here"));
  }

  /** Searches for the copy in the conversation's history. */
  private async lookUp(kept: Kept, histories: Histories): Promise<void> {
    const { conversation, jobId, final } = kept;
    const { event } = final;
    const { writtenAt } = event;
    // Both times are from the Gateway's clock.
    const place = writtenAt === undefined ? undefined : { at: writtenAt - APART_MS };
    const request = { address: { key: conversation }, place, believesTimes: true, atLeast: LOOKED_AT };
    try {
      const isCopied = await histories.use(request, async ({ rows }) =>
        rows.some((row) => jobOf(row) === jobId && isCopy(row, event)),
      );
      this.place(kept, isCopied ? "elsewhere" : "here");
    } catch (error) {
      if (!isInboxError(error, "ERR_INBOX_NO_LINK")) return this.place(kept, "here");
      // The next round finds it again.
      this.kept.delete(event.runId);
      this.options.bookmark.doubt(kept.address);
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

/** The job that a row is a copy for. */
function jobOf({ kind, runId }: SessionRow): string | undefined {
  return kind === "automation" && runId !== undefined ? jobIdOf(runId, undefined) : undefined;
}

function isCopy(row: SessionRow, { messageText, writtenAt }: ChatEvent): boolean {
  const isNear = row.at === undefined || writtenAt === undefined || Math.abs(row.at - writtenAt) <= APART_MS;
  return isNear && (messageText === undefined || row.truncated || row.text === messageText.trim());
}

function opened({ final }: Kept): string {
  return `bound ${final.event.runId}`;
}
