import type { ChatEvent, EventEffect, ProactiveMessage, RunOutcome } from "../types.ts";
import { Rate } from "./rate.ts";
import { beginningOf, endOf } from "./shown-text.ts";
import { Timeline } from "./timeline.ts";
import type { DeliveryState, LiveRow, RunDetails, RunRow, SettledRow, TimelineEntry } from "./update.ts";

/** How much of a text is shown, in characters: of a state, of an error, at the end of a line, of one delta, of a whole run. */
const STATE_CHARS = 40;
const ERROR_CHARS = 300;
const TAIL_CHARS = 160;
const PIECE_CHARS = 200;
const TEXT_CHARS = 4_000;

/** Who a run is, as its first sign tells. */
export interface RunIdentity {
  readonly gateway: string;
  readonly runId: string;
  readonly owner?: string;
  readonly sessionKey?: string;
  readonly startedAt: number;
}

interface Settlement {
  readonly at: number;
  readonly status: SettledRow["status"];
  readonly reason?: string;
}

/** One run as the inspector has seen it, from when it began to look. */
export class FollowedRun {
  readonly id: number;
  readonly identity: RunIdentity;
  settlement: Settlement | undefined;
  private readonly showText: boolean;
  private readonly timeline = new Timeline();
  private readonly rate = new Rate();
  private sessionKey: string | undefined;
  private chars = 0;
  private deltas = 0;
  private duplicates = 0;
  private late = 0;
  private attempts = 0;
  private delivery: DeliveryState | undefined;
  private text = "";
  /** Its error came without a message of the Gateway's own: it is what the agent had said. */
  private errorIsText = false;

  constructor(id: number, identity: RunIdentity, showText: boolean) {
    this.id = id;
    this.identity = identity;
    this.showText = showText;
    this.sessionKey = identity.sessionKey;
  }

  /** It had begun before anyone looked. */
  joined(chars: number, text: string, now: number): void {
    this.chars = chars;
    if (this.showText) this.text = text;
    this.add(now, { kind: "joined", chars }, 10);
  }

  event(event: ChatEvent, effect: EventEffect, chars: number, now: number, limit: number): void {
    const { state, seq, messageText, deltaText, replace } = event;
    const before = this.chars;
    if (effect === "duplicate") this.duplicates += 1;
    if (effect === "after-end") this.late += 1;
    if (effect === "taken") this.take(event, chars, now);
    const tellsText = effect === "taken" && (state === "delta" || state === "final");
    const told = tellsText ? this.chars : -1;
    const gained = this.chars - before;
    const afterMs = now - this.identity.startedAt;
    const plain = !this.showText && replace !== true && event.recovered !== true;
    if (plain) return this.timeline.addEvent(afterMs, state, effect, seq, told, gained, limit);
    const text = this.showText ? (deltaText ?? messageText) : undefined;
    this.add(
      now,
      {
        kind: "event",
        state: beginningOf(state, STATE_CHARS),
        effect,
        ...(seq !== undefined && { seq }),
        ...(tellsText && { chars: this.chars, gained }),
        ...(replace === true && { replaced: true }),
        ...(event.recovered === true && { recovered: true }),
        ...(text !== undefined && { text: beginningOf(text, PIECE_CHARS) }),
      },
      limit,
    );
  }

  private take(event: ChatEvent, chars: number, now: number): void {
    const { state, messageText, deltaText, replace } = event;
    this.sessionKey ??= event.sessionKey;
    if (state === "delta") {
      this.deltas += 1;
      this.chars = chars;
      this.rate.note(now);
      if (this.showText) this.text = messageText ?? (replace === true ? "" : this.text) + (deltaText ?? "");
    }
    if (state === "final" && messageText !== undefined && messageText.trim() !== "") {
      this.chars = messageText.length;
      if (this.showText) this.text = messageText;
    }
    if (state === "error") this.errorIsText = event.errorMessage === undefined && messageText !== undefined;
  }

  settle(outcome: RunOutcome, now: number, limit: number): void {
    const { status } = outcome;
    const dispatched = status === "dispatched";
    const { sessionKey, text } = dispatched ? outcome.message : outcome;
    this.sessionKey = sessionKey ?? this.sessionKey;
    this.chars = text.length;
    if (this.showText) this.text = beginningOf(text, TEXT_CHARS);
    if (dispatched) this.delivery = "queued";
    this.end(status, this.reasonOf(outcome), now, limit, dispatched && outcome.message.late);
  }

  /** It is no longer live, and no outcome said why. */
  gone(reason: string, now: number, limit: number): void {
    this.end("gone", reason, now, limit, false);
  }

  private end(status: SettledRow["status"], reason: string, now: number, limit: number, late: boolean): void {
    this.settlement = { at: now, status, ...(reason !== "" && { reason }) };
    this.add(now, { kind: "settled", status, ...(reason !== "" && { reason }), ...(late && { late }) }, limit);
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

  attempt(attempt: number, now: number, limit: number): void {
    this.attempts = attempt;
    this.delivery = "attempting";
    this.add(now, { kind: "attempt", attempt }, limit);
  }

  retry(attempt: number, error: string, delayMs: number, now: number, limit: number): void {
    this.attempts = attempt;
    this.delivery = "waiting";
    this.add(now, { kind: "retry", attempt, error: beginningOf(error, ERROR_CHARS), delayMs }, limit);
  }

  delivered(attempt: number, now: number, limit: number): void {
    this.attempts = attempt;
    this.delivery = "delivered";
    this.add(now, { kind: "delivered", attempt }, limit);
  }

  died(attempt: number, error: string, now: number, limit: number): void {
    this.attempts = attempt;
    this.delivery = "dead";
    this.add(now, { kind: "dead", attempt, error: beginningOf(error, ERROR_CHARS) }, limit);
  }

  private add(now: number, what: TimelineEntry["what"], limit: number): void {
    this.timeline.add(now - this.identity.startedAt, what, limit);
  }

  private row(): RunRow {
    const { gateway, runId, owner, startedAt } = this.identity;
    return {
      id: this.id,
      gateway,
      runId,
      ...(owner !== undefined && { owner }),
      ...(this.sessionKey !== undefined && { sessionKey: this.sessionKey }),
      startedAt,
      chars: this.chars,
      deltas: this.deltas,
      duplicates: this.duplicates,
      late: this.late,
      ...(this.showText && { tail: endOf(this.text, TAIL_CHARS) }),
    };
  }

  liveRow(now: number): LiveRow {
    return { ...this.row(), deltasPerSecond: Math.round(this.rate.read(now) * 10) / 10 };
  }

  settledRow({ at, status, reason }: Settlement): SettledRow {
    return {
      ...this.row(),
      settledAt: at,
      status,
      ...(reason !== undefined && { reason }),
      ...(this.delivery !== undefined && { delivery: this.delivery }),
      attempts: this.attempts,
    };
  }

  details(now: number): RunDetails {
    return {
      run: this.settlement === undefined ? this.liveRow(now) : this.settledRow(this.settlement),
      ...this.timeline.read(),
      ...(this.showText && { text: beginningOf(this.text, TEXT_CHARS) }),
    };
  }
}

/** Who the run of an outcome or a message was. */
export function identityOf(run: ProactiveMessage | Exclude<RunOutcome, { status: "dispatched" }>, startedAt: number) {
  const { gateway, runId, owner, sessionKey } = run;
  return {
    gateway,
    runId,
    startedAt,
    ...(owner !== undefined && { owner }),
    ...(sessionKey !== undefined && { sessionKey }),
  };
}
