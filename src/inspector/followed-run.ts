import type { ChatEvent, EventEffect, RunOutcome } from "../types.ts";
import type { Journal } from "./journal.ts";
import { beginningOf, endOf } from "./shown-text.ts";
import type { DeliveryState, LiveRow, RunDetails, SettledRow, TimelineEntry } from "./update.ts";

/** How much of a text is shown, in characters: of an error, at the end of a line, of one delta, of a whole run. */
const ERROR_CHARS = 300;
const TAIL_CHARS = 160;
const PIECE_CHARS = 200;
const TEXT_CHARS = 4_000;
const TELLS_NO_TEXT = -1;
/** A rate is taken over at least so many ms. */
const RATE_MS = 1_000;

/** Who a run is, as its first sign tells. */
export interface RunIdentity {
  readonly gateway: string;
  readonly runId: string;
  readonly owner?: string | undefined;
  readonly sessionKey?: string | undefined;
  readonly startedAt: number;
}

interface Settlement {
  readonly at: number;
  readonly status: SettledRow["status"];
  readonly reason?: string;
}

/** How many deltas a run had had at a time. */
interface Mark {
  readonly deltas: number;
  readonly at: number;
}

/** One run as the inspector has seen it, from when it began to look. */
export class FollowedRun {
  /** The inspector's own name for it. */
  readonly id: number;
  readonly identity: RunIdentity;
  /** The `runNumber` of its latest events; a late final gives it another. */
  number = 0;
  settlement: Settlement | undefined;
  private readonly journal: Journal;
  private readonly showText: boolean;
  private sessionKey: string | undefined;
  private entries = 0;
  private chars = 0;
  private deltas = 0;
  private duplicates = 0;
  private late = 0;
  private attempts = 0;
  private delivery: DeliveryState | undefined;
  private text = "";
  /** Its error came without a message of the Gateway's own: it is what the agent had said. */
  private errorIsText = false;
  /** What its rate is taken from, and what it will be taken from next. */
  private mark: Mark;
  private nextMark: Mark;

  constructor(id: number, identity: RunIdentity, journal: Journal, showText: boolean, now: number) {
    this.id = id;
    this.identity = identity;
    this.journal = journal;
    this.showText = showText;
    this.sessionKey = identity.sessionKey;
    this.mark = { deltas: 0, at: now };
    this.nextMark = this.mark;
  }

  /** It had begun before anyone looked. */
  joined(chars: number, text: string, now: number): void {
    this.chars = chars;
    if (this.showText) this.text = text;
    this.add(now, { kind: "joined", chars });
  }

  event(event: ChatEvent, effect: EventEffect, chars: number, now: number): void {
    const { state } = event;
    const before = this.chars;
    if (effect === "duplicate") this.duplicates += 1;
    if (effect === "after-end") this.late += 1;
    if (effect === "taken") this.take(event, chars);
    const tellsText = effect === "taken" && (state === "delta" || state === "final");
    const told = tellsText ? this.chars : TELLS_NO_TEXT;
    const piece = this.showText ? pieceOf(event) : undefined;
    this.entries += 1;
    this.journal.addEvent(this.id, now, event, effect, told, this.chars - before, piece);
  }

  private take(event: ChatEvent, chars: number): void {
    const { state, messageText, deltaText, replace } = event;
    this.sessionKey ??= event.sessionKey;
    if (state === "delta") {
      this.deltas += 1;
      this.chars = chars;
      if (this.showText) this.text = messageText ?? (replace === true ? "" : this.text) + (deltaText ?? "");
    }
    if (state === "final" && messageText !== undefined && messageText.trim() !== "") {
      this.chars = messageText.length;
      if (this.showText) this.text = messageText;
    }
    if (state === "error") this.errorIsText = event.errorMessage === undefined && messageText !== undefined;
  }

  settle(outcome: RunOutcome, now: number): void {
    const { status } = outcome;
    const dispatched = status === "dispatched";
    const { sessionKey, text } = dispatched ? outcome.message : outcome;
    this.sessionKey = sessionKey ?? this.sessionKey;
    this.chars = text.length;
    if (this.showText) this.text = beginningOf(text, TEXT_CHARS);
    if (dispatched) this.delivery = "queued";
    this.end(status, this.reasonOf(outcome), now, dispatched && outcome.message.late);
  }

  /** It is no longer live, and no outcome said why. */
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
        return this.errorIsText && !this.showText
          ? `(${outcome.error.length} characters)`
          : beginningOf(outcome.error, ERROR_CHARS);
      default:
        return "";
    }
  }

  attempt(attempt: number, now: number): void {
    this.attempts = attempt;
    this.delivery = "attempting";
    this.add(now, { kind: "attempt", attempt });
  }

  retry(attempt: number, error: string, delayMs: number, now: number): void {
    this.attempts = attempt;
    this.delivery = "waiting";
    this.add(now, { kind: "retry", attempt, error: beginningOf(error, ERROR_CHARS), delayMs });
  }

  delivered(attempt: number, now: number): void {
    this.attempts = attempt;
    this.delivery = "delivered";
    this.add(now, { kind: "delivered", attempt });
  }

  died(attempt: number, error: string, now: number): void {
    this.attempts = attempt;
    this.delivery = "dead";
    this.add(now, { kind: "dead", attempt, error: beginningOf(error, ERROR_CHARS) });
  }

  private add(now: number, what: TimelineEntry["what"]): void {
    this.entries += 1;
    this.journal.add(this.id, now, what);
  }

  private get tail(): string | undefined {
    return this.showText ? endOf(this.text, TAIL_CHARS) : undefined;
  }

  // The two kinds of rows are made hundreds at a time: each in one piece.

  liveRow(now: number): LiveRow {
    const { gateway, runId, owner, startedAt } = this.identity;
    const { id, sessionKey, chars, deltas, duplicates, late, tail } = this;
    const deltasPerSecond = this.rate(now);
    return { id, gateway, runId, owner, sessionKey, startedAt, chars, deltas, duplicates, late, tail, deltasPerSecond };
  }

  settledRow(settlement: Settlement): SettledRow {
    const { gateway, runId, owner, startedAt } = this.identity;
    const { id, sessionKey, chars, deltas, duplicates, late, tail, delivery, attempts } = this;
    const { at, status, reason } = settlement;
    return {
      id,
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
      delivery,
      attempts,
    };
  }

  details(now: number): RunDetails {
    return {
      run: this.settlement === undefined ? this.liveRow(now) : this.settledRow(this.settlement),
      ...this.journal.timelineOf(this.id, this.identity.startedAt, this.entries),
      ...(this.showText && { text: beginningOf(this.text, TEXT_CHARS) }),
    };
  }

  /** Deltas per second, since it was looked at one or two seconds ago. */
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

/** The beginning of the text that an event brought. */
function pieceOf({ deltaText, messageText }: ChatEvent): string | undefined {
  const text = deltaText ?? messageText;
  return text === undefined ? undefined : beginningOf(text, PIECE_CHARS);
}

/** Who a run is, by whatever names it. */
export function identityOf(
  { gateway, runId, owner, sessionKey }: Omit<RunIdentity, "startedAt">,
  startedAt: number,
): RunIdentity {
  return { gateway, runId, owner, sessionKey, startedAt };
}
