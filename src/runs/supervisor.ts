import { hash } from "node:crypto";
import type { InspectionEvent } from "xstate";
import { finalText } from "../../machines/run.ts";
import type { Clock } from "../kit/clock.ts";
import { ExpiringMap } from "../kit/expiring-map.ts";
import { RunMap } from "../kit/run-map.ts";
import { isSubagent, originOf } from "../protocol/origin.ts";
import { isSilence } from "../protocol/silence.ts";
import { TextReader } from "../protocol/text.ts";
import type { Report } from "../report/report.ts";
import type { Activity, ChatEvent, DiscardReason, HeardEvent, LiveRun, Origin, ProactiveMessage } from "../types.ts";
import { LateTexts } from "./late-texts.ts";
import { runKey } from "./message-id.ts";
import { decide, type OutcomeOptions, withoutMessage } from "./outcome.ts";
import { Run } from "./run.ts";
import { RunActors } from "./run-actors.ts";

export interface SupervisorOptions extends OutcomeOptions {
  readonly clock: Clock;
  readonly report: Report;
  readonly ttlMs: number;
  readonly settledWindowMs: number;
  readonly includeSubagents: boolean;
  readonly handOverSilence: boolean;
  readonly maxRuns: number;
  readonly maxSettledRuns: number;
  readonly maxTextBytes: number;
  readonly maxBufferedBytes: number;
  readonly inspect?: ((event: InspectionEvent) => void) | undefined;
  /** Takes the message of a run that has settled as `dispatched`, once, after the run was retired. */
  readonly dispatch: (message: ProactiveMessage) => void;
}

/** Bytes of memory for texts of runs that were given up, and of runs that were handed over. */
const MAX_LATE_BYTES = 16_777_216;
const MAX_SAID_BYTES = 4_194_304;

/** What is remembered of a run that has settled. */
interface SettledRun {
  /** A final that still comes is handed over, marked `late`: the run had errored, aborted, expired or been empty. */
  readonly mayStillSpeak: boolean;
  readonly startedAt: number;
}

/**
 * Keeps one actor per run: spawns it at the run's first event, hands it every further one, retires
 * it when it settles, and remembers for a while that it did.
 */
export class Supervisor {
  private readonly options: SupervisorOptions;
  private readonly runs = new RunMap<Run>();
  private readonly actors: RunActors;
  private readonly settled: ExpiringMap<SettledRun>;
  private readonly solicited: ExpiringMap<true>;
  /** Solicited runs whose text is wanted all the same; whoever waits for one takes it out again. */
  private readonly awaited = new Set<string>();
  private readonly hints: ExpiringMap<Origin>;
  private readonly lateTexts: LateTexts;
  private readonly saidTexts: LateTexts;

  constructor(options: SupervisorOptions) {
    this.options = options;
    this.actors = new RunActors(options);
    const { clock, ttlMs, settledWindowMs, maxSettledRuns, report } = options;
    this.settled = new ExpiringMap({
      windowMs: settledWindowMs,
      maxKeys: maxSettledRuns,
      clock,
      onEvict: () => report.settledEvicted(),
    });
    this.lateTexts = new LateTexts({ clock, windowMs: settledWindowMs, maxBytes: MAX_LATE_BYTES });
    this.saidTexts = new LateTexts({ clock, windowMs: settledWindowMs, maxBytes: MAX_SAID_BYTES });
    this.solicited = new ExpiringMap({ windowMs: ttlMs, maxKeys: maxSettledRuns, clock });
    this.hints = new ExpiringMap({ windowMs: ttlMs, maxKeys: maxSettledRuns, clock });
  }

  /** Takes one event to its run. */
  handle(routed: HeardEvent): void {
    const { gateway, event } = routed;
    const { state } = event;
    if (state !== "delta" && state !== "final" && state !== "error" && state !== "aborted" && state !== "status") {
      return this.options.report.unknownState(routed);
    }
    const run = this.runs.get(gateway, event.runId) ?? this.spawn(routed);
    if (run === undefined) return;
    if (event.recovered === true) run.recovered = true;
    if (event.origin !== undefined) run.learnOrigin(event.origin);
    run.agentId ??= event.agentId;
    if (state === "delta") run.deltas += 1;
    const reason = this.notProactive(event);
    if (reason === undefined && state === "delta") return this.sendDelta(run, routed);
    this.options.report.applied(routed, run);
    if (reason !== undefined) run.actor.send({ type: "discard", reason });
    else this.send(run, event);
  }

  /** Marks a run as asked for by this host, whether it has begun or not. */
  solicit(runId: string): void {
    this.solicited.set(runId, true);
    if (this.awaited.has(runId)) return;
    for (const { actor } of this.runs.named(runId)) actor.send({ type: "discard", reason: "solicited" });
  }

  /** The text of a solicited run is wanted whole, until `wanted` is false. Without that it is discarded at its first event. */
  awaitAnswer(runId: string, wanted: boolean): void {
    if (wanted) this.awaited.add(runId);
    else if (this.awaited.delete(runId)) this.solicit(runId);
  }

  /** The Gateway has accepted a connection: its runs may begin again, if it was started anew. */
  begin(gateway: string): void {
    for (const run of this.runs.of(gateway)) run.mayBeginAgain = true;
    // What a run says that is run again is no second message of it.
    this.saidTexts.clear();
  }

  /** Notes where a run comes from, before or after it has begun. */
  hint(gateway: string, runId: string, origin: Origin): void {
    const run = this.runs.get(gateway, runId);
    if (run === undefined) this.hints.set(runKey(gateway, runId), origin);
    else run.learnOrigin(origin);
  }

  /** Whether a run is in `buffering` or was settled within the settled window; `"unspoken"`: so that a final is still handed over. */
  knows(gateway: string, runId: string): "live" | "settled" | "unspoken" | undefined {
    if (this.runs.get(gateway, runId) !== undefined) return "live";
    const before = this.settled.get(runKey(gateway, runId));
    if (before === undefined) return undefined;
    return before.mayStillSpeak ? "unspoken" : "settled";
  }

  /** What a run has said so far; nothing when it is not in `buffering`. */
  textSoFar(gateway: string, runId: string): string {
    return this.runs.get(gateway, runId)?.context.text ?? "";
  }

  /** The runs in `buffering`. */
  live(): LiveRun[] {
    return Array.from(this.runs.values(), (run) => run.view());
  }

  /** The same in the order in which they began, as those who begin to watch are told of them. */
  joined(): Activity[] {
    const runs = [...this.runs.values()].sort((a, b) => a.number - b.number);
    return runs.map((run) => ({ kind: "joined", run: run.view(), progress: run }));
  }

  /** The runs in `buffering` that began at `startedBy` or before, in ms since the epoch; costs what it returns. */
  oldest(startedBy: number): LiveRun[] {
    const found: LiveRun[] = [];
    for (const runs of this.runs.byGateway()) {
      // In the order of their beginnings, but for late runs: those pass at once.
      for (const run of runs) {
        if (run.context.startedAt > startedBy) break;
        found.push(run.view());
      }
    }
    return found;
  }

  /** Stops every actor. The runs that were still going on get no outcome. */
  stop(): void {
    const unfinished = [...this.runs.values()];
    this.runs.clear();
    for (const { actor } of unfinished) this.actors.stop(actor);
    this.options.report.unfinished(unfinished.length);
    this.settled.clear();
    this.solicited.clear();
    this.awaited.clear();
    this.hints.clear();
    this.lateTexts.clear();
    this.saidTexts.clear();
  }

  private spawn(routed: HeardEvent): Run | undefined {
    const { report, ttlMs, maxRuns } = this.options;
    const { gateway, owner, event, at } = routed;
    const { runId, sessionKey } = event;
    const key = runKey(gateway, runId);
    const before = this.settled.get(key);
    if (before !== undefined && this.isAnother(event, key)) return this.spawn(asAnother(routed));
    if (before !== undefined && !(before.mayStillSpeak && this.speaks(event, key))) {
      report.afterEnd(routed);
      if (before.mayStillSpeak && event.state === "delta") this.lateTexts.read(key, event);
      // It is still going on (a discarded run streams to its end): its window starts again.
      if (event.state === "delta" || event.state === "status") this.settled.set(key, before);
      return undefined;
    }
    if (this.runs.size >= maxRuns && event.state !== "final") return this.refuse(key, routed);
    const startedAt = before?.startedAt ?? at;
    const actor = this.actors.spawn({ runId, gateway, owner, sessionKey, startedAt, ttlMs });
    const run = new Run(actor, report.stats.started + 1, startedAt, before !== undefined, originOf(runId, sessionKey));
    const hint = this.hints.get(key);
    if (hint !== undefined) run.learnOrigin(hint);
    actor.subscribe({ complete: () => this.retire(run) });
    this.settled.delete(key);
    this.runs.set(gateway, runId, run);
    report.started(this.runs.size);
    actor.start();
    if (before !== undefined) run.lateText = this.lateTexts.take(key);
    return run;
  }

  /**
   * Whether the final of a run that was handed over is another message: what an agent says by its `message` tool comes
   * as a second final of the run, with a row of its own. One that only repeats or lengthens the first is not: that has been handed over.
   */
  private isAnother({ state, messageText = "", isRow }: ChatEvent, key: string): boolean {
    if (state !== "final" || isRow !== true) return false;
    const said = this.saidTexts.textOf(key).trim();
    const text = messageText.trim();
    if (said === "" || text === "" || isSilence(text)) return false;
    return !text.startsWith(said) && !said.includes(text);
  }

  /** Whether a final says something: itself, or by the deltas that came before it. */
  private speaks({ state, messageText = "", hasMedia }: ChatEvent, key: string): boolean {
    if (state !== "final") return false;
    return messageText.trim() !== "" || hasMedia === true || this.lateTexts.textOf(key).trim() !== "";
  }

  /** A run too many gets no actor, which would be a flood's easiest prey: only its outcome. Its final is still handed over. */
  private refuse(key: string, { gateway, owner, event, at: startedAt }: HeardEvent): undefined {
    const { maxRuns, report } = this.options;
    const { runId, sessionKey, messageText, deltaText } = event;
    report.overLimit();
    this.settled.set(key, { mayStillSpeak: true, startedAt });
    const text = messageText ?? deltaText ?? "";
    const error = `Over \`maxRuns\` (${maxRuns})`;
    const run = {
      gateway,
      runId,
      ...(owner !== undefined && { owner }),
      ...(sessionKey !== undefined && { sessionKey }),
    };
    report.settled({ ...run, status: "errored", error, errorKind: "maxRuns", text }, error);
  }

  private notProactive(event: ChatEvent): DiscardReason | undefined {
    if (event.placed === "elsewhere") return "relocated";
    if (this.solicited.size > 0 && this.isSolicited(event.runId))
      return this.awaited.has(event.runId) ? undefined : "solicited";
    const { includeSubagents } = this.options;
    return !includeSubagents && isSubagent(event.sessionKey, event.spawnedBy) ? "subagent" : undefined;
  }

  private isSolicited(runId: string): boolean {
    return this.solicited.get(runId) !== undefined;
  }

  private send(run: Run, event: ChatEvent): void {
    switch (event.state) {
      case "status":
        // Only runs that some client asked for are announced this way.
        return run.learnOrigin("requested");
      case "final":
        return this.sendFinal(run, event);
      case "error":
        return run.actor.send({
          type: "error",
          error: event.errorMessage,
          errorKind: event.errorKind,
          text: event.messageText,
        });
      case "aborted":
        return run.actor.send({ type: "aborted", text: event.messageText });
    }
  }

  private sendDelta(run: Run, routed: HeardEvent): void {
    const { report, maxBufferedBytes, maxTextBytes } = this.options;
    const { event } = routed;
    const begunAgain = run.hasBegunAgain(event.seq);
    if (begunAgain) run.reader = new TextReader();
    const text = run.reader.read(event, begunAgain ? "" : run.context.text);
    report.buffered((text.length - run.chars) * 2);
    const isTooLong = run.grow(text, begunAgain || event.replace === true, maxTextBytes);
    report.applied(routed, run);
    if (isTooLong) this.giveUp(run, "maxTextBytes");
    else if (report.stats.bufferedBytes > maxBufferedBytes) this.giveUp(run, "maxBufferedBytes");
    else run.actor.send({ type: "delta", text, sessionKey: event.sessionKey });
  }

  private sendFinal(run: Run, event: ChatEvent): void {
    const { handOverSilence } = this.options;
    const { context, late, recovered, origin, agentId } = run;
    const own = isBlank(event.messageText) && run.lateText !== "" ? run.lateText : event.messageText;
    const text = finalText(context, own);
    if (this.tooLong(text)) return void this.giveUp(run, "maxTextBytes");
    const sessionKey = event.sessionKey ?? context.sessionKey;
    const { hasMedia } = event;
    const isEmpty = isBlank(text) && hasMedia !== true;
    const isSilent = !handOverSilence && hasMedia !== true && isSilence(text);
    const isOurs = this.isSolicited(context.runId);
    const finished = { ...context, sessionKey, text, late, recovered, origin, agentId };
    const decision = isEmpty ? undefined : isOurs ? "solicited" : isSilent ? "empty" : decide(finished, this.options);
    const verdict = typeof decision === "string" ? { discard: decision } : { message: decision };
    run.actor.send({ type: "final", text: own, sessionKey, hasMedia, ...verdict });
  }

  private tooLong(text: string): boolean {
    const { maxTextBytes } = this.options;
    // A character takes up at most three bytes, so counting them is left to texts near the limit.
    return text.length * 3 > maxTextBytes && Buffer.byteLength(text) > maxTextBytes;
  }

  private giveUp(run: Run, limit: "maxTextBytes" | "maxBufferedBytes"): undefined {
    this.options.report.overLimit();
    run.actor.send({ type: "error", error: `Over \`${limit}\` (${this.options[limit]})`, errorKind: limit });
  }

  private retire(run: Run): void {
    const { output } = run.actor.getSnapshot();
    // No output: the actor was stopped, not finished.
    if (output === undefined || !this.runs.delete(output.gateway, output.runId)) return;
    const { report, dispatch } = this.options;
    const { status, reason, startedAt, gateway, runId, message } = output;
    report.ended(this.runs.size);
    report.buffered(run.chars * -2);
    const mayStillSpeak = status === "discarded" ? reason === "empty" : status !== "dispatched";
    const key = runKey(gateway, runId);
    this.settled.set(key, { mayStillSpeak, startedAt });
    // Of a final there is nothing left to wait for.
    if (mayStillSpeak && status !== "discarded") this.lateTexts.keep(key, output.text, run.reader);
    if (status === "dispatched") this.saidTexts.keep(key, output.text);
    run.retire();
    if (message !== undefined) dispatch(message);
    else report.settled(withoutMessage(output), output.cause);
  }
}

/** A second message of a run, as one of its own. Its id is the same on every host. */
function asAnother(heard: HeardEvent): HeardEvent {
  const { event } = heard;
  const mark = hash("sha256", event.messageText ?? "", "base64url").slice(0, 12);
  return { ...heard, event: { ...event, runId: `${event.runId}#${mark}` } };
}

function isBlank(text: string | undefined): boolean {
  return text === undefined || text.trim() === "";
}
