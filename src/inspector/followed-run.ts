import { countedKinds } from "../protocol/attachments.ts";
import type { Activity, ChatEvent, EventEffect, Origin, ProactiveMessage, RunOutcome, RunProgress } from "../types.ts";
import type { Journal } from "./journal.ts";
import { quotes } from "./quotes.ts";
import { beginningOf, endOf } from "./truncate.ts";
import type { DeliveryState, LiveRow, RunDetails, SettledRow, TimelineEntry } from "./wire.ts";

/** The most characters that are shown of an error, of the end of a text, and of a whole text. */
const ERROR_CHARS = 300;
const CODE_CHARS = 80;
const TAIL_CHARS = 160;
const TEXT_CHARS = 4_000;
/** A rate covers at least this many ms. */
const RATE_MS = 1_000;

type Retry = Extract<Activity, { kind: "retry" }>;

/** What identifies a run. */
export interface RunIdentity {
  readonly gateway: string;
  readonly runId: string;
  readonly owner?: string | undefined;
  readonly sessionKey?: string | undefined;
  readonly startedAt: number;
  /** When it will be given up. Undefined when only its end is known. */
  readonly expiresAt?: number | undefined;
}

interface Settlement {
  readonly at: number;
  readonly status: SettledRow["status"];
  readonly reason?: string;
}

/** The number of deltas that a run had at some time. */
export interface Mark {
  readonly deltas: number;
  readonly at: number;
}

/** What a {@link FollowedRun} is made of. */
export interface Following {
  /** The run's number in the inbox. Negative for a run whose beginning was not seen. */
  readonly number: number;
  readonly identity: RunIdentity;
  /** Undefined when only the end of the run is known. */
  readonly progress: RunProgress | undefined;
  /** What it had when the watching began. Undefined for a run that began later. */
  readonly joined: Mark | undefined;
  readonly journal: Journal;
  readonly showText: boolean;
}

/**
 * A run of which more than its deltas is known. Deltas are not passed on, because there are thousands. The supervisor
 * counts them, and `progress` has the count.
 */
export class FollowedRun {
  readonly number: number;
  readonly identity: RunIdentity;
  private readonly progress: RunProgress | undefined;
  settlement: Settlement | undefined;
  private readonly journal: Journal;
  private readonly showText: boolean;
  /** What is known after its final or its end. */
  private ended: { readonly sessionKey: string | undefined; readonly chars: number; readonly text: string } | undefined;
  /** Deltas from before the watching began. */
  private readonly deltasBefore: number;
  /** Its entries in the journal, except for applied deltas. */
  private entries: number;
  private duplicates = 0;
  private late = 0;
  private attempts = 0;
  private delivery: DeliveryState | undefined;
  /** When the next attempt follows. */
  private retryAt: number | undefined;
  private origin: Origin | undefined;
  /** The message that was dispatched. */
  private message: (Pick<ProactiveMessage, "id"> & { readonly attached: string }) | undefined;
  /** The error of the last failed attempt. */
  private error: string | undefined;
  /** Where the current rate begins, and where the next will begin. */
  private mark: Mark;
  private nextMark: Mark;

  constructor({ number, identity, progress, joined, journal, showText }: Following) {
    this.number = number;
    this.identity = identity;
    this.progress = progress;
    this.journal = journal;
    this.showText = showText;
    this.deltasBefore = joined?.deltas ?? 0;
    this.entries = joined === undefined ? 0 : 1;
    this.mark = joined ?? { deltas: 0, at: identity.startedAt };
    this.nextMark = this.mark;
  }

  /** Records an event, except for applied deltas. */
  event(event: ChatEvent, effect: EventEffect, now: number): void {
    const { state, messageText } = event;
    if (effect === "duplicate") this.duplicates += 1;
    if (effect === "after-end") this.late += 1;
    const isFinal = effect === "taken" && state === "final";
    if (isFinal) {
      const text = messageText !== undefined && messageText.trim() !== "" ? messageText : this.text;
      this.endWith(event.sessionKey, text);
    }
    this.entries += 1;
    this.journal.addEvent(this.number, now, event, effect, isFinal ? this.chars : undefined);
  }

  settle(outcome: RunOutcome, now: number): void {
    const { status } = outcome;
    const dispatched = status === "dispatched";
    const { sessionKey, text, origin } = dispatched ? outcome.message : outcome;
    this.endWith(sessionKey, text);
    this.origin = origin;
    if (dispatched) {
      const { id, attachments } = outcome.message;
      this.message = { id, attached: countedKinds(attachments) };
      this.delivery = "queued";
    }
    this.end(status, this.reasonOf(outcome), now, dispatched && outcome.message.late);
  }

  /** The run is not live any longer, and no outcome told why. */
  gone(reason: string, now: number): void {
    this.end("gone", reason, now, false);
  }

  private end(status: SettledRow["status"], reason: string, now: number, late: boolean): void {
    this.settlement = { at: now, status, ...(reason !== "" && { reason }) };
    this.add(now, { kind: "settled", status, ...(reason !== "" && { reason }), ...(late && { late }) });
  }

  private reasonOf(outcome: RunOutcome): string {
    switch (outcome.status) {
      case "dispatched": {
        const { late, recovered, origin } = outcome.message;
        const known = origin === "unknown" ? "" : origin;
        return [late ? "late" : "", recovered ? "recovered" : "", known].filter((word) => word !== "").join(", ");
      }
      case "discarded":
        return outcome.reason;
      case "errored":
        return this.showText ? beginningOf(outcome.error, ERROR_CHARS) : hiddenError(outcome);
      default:
        return "";
    }
  }

  /** The handler is being called. When that began is not known. */
  attempting(attempt: number): void {
    this.attempts = attempt;
    this.delivery = "attempting";
    this.retryAt = undefined;
  }

  attempt(attempt: number, now: number): void {
    this.attempting(attempt);
    this.add(now, { kind: "attempt", attempt });
  }

  retry(
    { message, attempt, error, delayMs }: Pick<Retry, "message" | "attempt" | "error" | "delayMs">,
    now: number,
  ): void {
    this.attempts = attempt;
    this.delivery = "waiting";
    this.retryAt = now + delayMs;
    this.error = this.shown(error, message);
    this.add(now, { kind: "retry", attempt, error: this.error, delayMs });
  }

  /** Whether it is known that this attempt failed and another will follow. */
  isWaiting(attempt: number): boolean {
    return this.delivery === "waiting" && this.attempts === attempt;
  }

  delivered(attempt: number, now: number): void {
    this.attempts = attempt;
    this.delivery = "delivered";
    this.retryAt = undefined;
    this.error = undefined;
    this.add(now, { kind: "delivered", attempt });
  }

  died(message: ProactiveMessage, attempt: number, error: string, now: number): void {
    this.attempts = attempt;
    this.delivery = "dead";
    this.retryAt = undefined;
    this.error = this.shown(error, message);
    this.add(now, { kind: "dead", attempt, error: this.error });
  }

  private shown(error: string, message: ProactiveMessage): string {
    return shownError(error, message, this.showText);
  }

  private add(now: number, what: TimelineEntry["what"]): void {
    this.entries += 1;
    this.journal.add(this.number, now, what);
  }

  private endWith(sessionKey: string | undefined, text: string): void {
    const kept = this.showText ? beginningOf(text, TEXT_CHARS) : "";
    this.ended = { sessionKey: sessionKey ?? this.sessionKey, chars: text.length, text: kept };
  }

  private get deltas(): number {
    return this.progress?.deltas ?? 0;
  }

  private get chars(): number {
    return (this.ended ?? this.progress)?.chars ?? 0;
  }

  private get text(): string {
    return (this.ended ?? this.progress?.live())?.text ?? "";
  }

  private get sessionKey(): string | undefined {
    return (this.ended ?? this.progress?.live())?.sessionKey ?? this.identity.sessionKey;
  }

  private get tail(): string | undefined {
    return this.showText ? endOf(this.text, TAIL_CHARS) : undefined;
  }

  /** Whether it ended without a known outcome. */
  get isGone(): boolean {
    return this.settlement?.status === "gone";
  }

  // Both kinds of rows are made by the hundred, so each is one literal.

  liveRow(now: number): LiveRow {
    const { gateway, runId, owner, startedAt, expiresAt = startedAt } = this.identity;
    const { number, sessionKey, chars, deltas, duplicates, late, tail } = this;
    return {
      number,
      gateway,
      runId,
      owner,
      sessionKey,
      startedAt,
      expiresAt,
      chars,
      deltas,
      duplicates,
      late,
      tail,
      deltasPerSecond: this.rate(now),
    };
  }

  settledRow(settlement: Settlement): SettledRow {
    const { gateway, runId, owner, startedAt } = this.identity;
    const {
      number,
      sessionKey,
      chars,
      deltas,
      duplicates,
      late,
      tail,
      origin,
      message,
      delivery,
      attempts,
      retryAt,
      error,
    } = this;
    const { at, status, reason } = settlement;
    return {
      number,
      gateway,
      runId,
      owner,
      sessionKey,
      startedAt,
      chars,
      deltas,
      duplicates,
      late,
      tail,
      settledAt: at,
      status,
      reason,
      messageId: message?.id,
      origin,
      attached: message?.attached || undefined,
      delivery,
      attempts,
      retryAt,
      error,
    };
  }

  details(now: number): RunDetails {
    return {
      run: this.settlement === undefined ? this.liveRow(now) : this.settledRow(this.settlement),
      ...this.journal.timelineOf(this.number, this.identity.startedAt, this.entries + this.deltas - this.deltasBefore),
      ...(this.showText && { text: beginningOf(this.text, TEXT_CHARS) }),
    };
  }

  /** Deltas per second over the last one or two seconds. At the first look, since the run began. */
  private rate(now: number): number {
    const { deltas } = this;
    if (now - this.nextMark.at >= RATE_MS) {
      this.mark = this.nextMark;
      this.nextMark = { deltas, at: now };
    }
    const perSecond = ((deltas - this.mark.deltas) * 1_000) / Math.max(RATE_MS, now - this.mark.at);
    return Math.round(perSecond * 10) / 10;
  }
}

/** What failed, as it may be shown. Without `showText` it has no words of the message. */
export function shownError(error: string, { text }: ProactiveMessage, showText: boolean): string {
  const beginning = beginningOf(error, ERROR_CHARS);
  return showText || !quotes(beginning, text) ? beginning : `(it quotes the message: ${error.length} characters)`;
}

/** A Gateway's error text may be the agent's words. Its code and its length are shown instead. */
function hiddenError({ errorKind, error }: Extract<RunOutcome, { status: "errored" }>): string {
  const code = errorKind === undefined ? "" : `${beginningOf(errorKind, CODE_CHARS)} `;
  return `${code}(${error.length} characters)`;
}

/** What identifies a run, from any object that has it. */
export function identityOf(
  { gateway, runId, owner, sessionKey, expiresAt }: Omit<RunIdentity, "startedAt">,
  startedAt: number,
): RunIdentity {
  return { gateway, runId, owner, sessionKey, startedAt, expiresAt };
}
