import { hash } from "node:crypto";
import type { InspectionEvent } from "xstate";
import { finalText } from "../../machines/run.ts";
import type { Clock } from "../kit/clock.ts";
import { ExpiringMap } from "../kit/expiring-map.ts";
import { RunMap } from "../kit/run-map.ts";
import { isSubagent, jobIdOf, originOf } from "../protocol/origin.ts";
import { isSilence } from "../protocol/silence.ts";
import { cutBeginning, TextReader } from "../protocol/text.ts";
import type { Report } from "../report/report.ts";
import type {
  Activity,
  Attachment,
  ChatEvent,
  DiscardReason,
  HeardEvent,
  Job,
  LiveRun,
  Origin,
  ProactiveMessage,
} from "../types.ts";
import { JobNames } from "./job-names.ts";
import { LateTexts } from "./late-texts.ts";
import { runKey } from "./message-id.ts";
import { decide, type OutcomeOptions, withoutMessage } from "./outcome.ts";
import { Run } from "./run.ts";
import { RunActors } from "./run-actors.ts";
import { SaidTexts } from "./said-texts.ts";

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
  /** Called with the message of a `dispatched` run, once, after the run was retired. */
  readonly dispatch: (message: ProactiveMessage) => void;
}

/** The most memory for the texts of runs that were given up, and of runs that were dispatched, in bytes. */
const MAX_LATE_BYTES = 16_777_216;
const MAX_SAID_BYTES = 4_194_304;

/** Where a run comes from, from other sources than its chat events. */
interface Hint {
  readonly origin?: Origin;
  readonly job?: Job;
}

/** What is remembered of a settled run. */
interface SettledRun {
  /** The run errored, aborted, expired or was empty: a final that still comes is dispatched, marked `late`. */
  readonly mayStillSpeak: boolean;
  readonly startedAt: number;
  /** What a late final needs to know. */
  readonly origin: Origin;
  readonly job: Job | undefined;
  /** The message's text, for a second final. Empty when there was none, or when it was forgotten. */
  said: string;
}

/**
 * Keeps one actor per run. It creates the actor at the run's first event, passes every event on, and retires it when
 * the run settles. It remembers settled runs for a while.
 */
export class Supervisor {
  private readonly options: SupervisorOptions;
  private readonly runs = new RunMap<Run>();
  private readonly actors: RunActors;
  private readonly settled: ExpiringMap<SettledRun>;
  private readonly solicited: ExpiringMap<true>;
  /** Solicited runs whose text somebody waits for. The caller removes its run again. */
  private readonly awaited = new Set<string>();
  private readonly hints: ExpiringMap<Hint>;
  private readonly jobNames = new JobNames();
  private readonly lateTexts: LateTexts;
  private readonly saidTexts = new SaidTexts<SettledRun>(MAX_SAID_BYTES);

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
    this.solicited = new ExpiringMap({ windowMs: ttlMs, maxKeys: maxSettledRuns, clock });
    this.hints = new ExpiringMap({ windowMs: ttlMs, maxKeys: maxSettledRuns, clock });
  }

  /** Passes one event to its run. */
  handle(routed: HeardEvent): void {
    const { gateway, event } = routed;
    const { state } = event;
    if (state !== "delta" && state !== "final" && state !== "error" && state !== "aborted" && state !== "status") {
      return this.options.report.unknownState(routed);
    }
    const run = this.runs.get(gateway, event.runId) ?? this.spawn(routed);
    if (run === undefined) return;
    if (event.recovered === true) run.recovered = true;
    if (event.origin !== undefined) run.learn(event);
    run.agentId ??= event.agentId;
    if (state === "delta") run.deltas += 1;
    const reason = this.notProactive(event);
    if (reason === undefined && state === "delta") return this.sendDelta(run, routed);
    this.options.report.applied(routed, run);
    if (reason !== undefined) run.actor.send({ type: "discard", reason });
    else this.send(run, event);
  }

  /** Marks a run as asked for by this host. It may come before or after the run's first event. */
  solicit(runId: string): void {
    this.solicited.set(runId, true);
    if (this.awaited.has(runId)) return;
    for (const { actor } of this.runs.named(runId)) actor.send({ type: "discard", reason: "solicited" });
  }

  /** Says whether the whole text of a solicited run is wanted. Otherwise the run is discarded at its first event. */
  awaitAnswer(runId: string, wanted: boolean): void {
    if (wanted) this.awaited.add(runId);
    else if (this.awaited.delete(runId)) this.solicit(runId);
  }

  /** The Gateway has accepted a connection. If it was restarted, its runs may start again. */
  begin(gateway: string): void {
    for (const run of this.runs.of(gateway)) run.mayBeginAgain = true;
    // A run that is started again repeats its text. That is not a second message.
    this.saidTexts.clear();
  }

  /** Records where a run comes from. It may come before or after the run's first event. */
  hint(gateway: string, runId: string, { origin, job }: Hint): void {
    const run = this.runs.get(gateway, runId);
    const hint = { ...(origin !== undefined && { origin }), ...(job !== undefined && { job }) };
    if (run !== undefined) return run.learn(hint);
    const key = runKey(gateway, runId);
    const before = this.hints.get(key);
    // As in a run: that somebody asked is the weakest of what can be known.
    this.hints.set(key, origin === "requested" ? { ...hint, ...before } : { ...before, ...hint });
  }

  /** Records the name of a cron job. */
  learnJob(gateway: string, job: Job): void {
    this.jobNames.learn(gateway, job);
  }

  /**
   * Whether a run is in `buffering` or settled within the settled window. `"unspoken"`: settled in a way that a final
   * would still be dispatched.
   */
  knows(gateway: string, runId: string): "live" | "settled" | "unspoken" | undefined {
    if (this.runs.get(gateway, runId) !== undefined) return "live";
    const before = this.settled.get(runKey(gateway, runId));
    if (before === undefined) return undefined;
    return before.mayStillSpeak ? "unspoken" : "settled";
  }

  /**
   * Where a run comes from, and its session, as far as they are known. A run that this host asked for is `"requested"`.
   */
  sourceOf(
    gateway: string,
    runId: string,
  ): { readonly origin: Origin; readonly jobId: string | undefined; readonly sessionKey: string | undefined } {
    const run = this.runs.get(gateway, runId);
    const hint = run ?? this.hints.get(runKey(gateway, runId));
    const sessionKey = run?.context.sessionKey;
    return { origin: this.originAt(runId, sessionKey, hint), jobId: hint?.job?.id, sessionKey };
  }

  /** What a run has said so far; empty when it is not in `buffering`. */
  textSoFar(gateway: string, runId: string): string {
    return this.runs.get(gateway, runId)?.context.text ?? "";
  }

  /** The runs in `buffering`. */
  live(): LiveRun[] {
    return Array.from(this.runs.values(), (run) => run.view());
  }

  /** The same as activity, in the order in which the runs began: the first thing a new watcher is told. */
  joined(): Activity[] {
    const runs = [...this.runs.values()].sort((a, b) => a.number - b.number);
    return runs.map((run) => ({ kind: "joined", run: run.view(), progress: run }));
  }

  /** The runs in `buffering` that began at `startedBy` or before, in ms since the epoch. Only they are visited. */
  oldest(startedBy: number): LiveRun[] {
    const found: LiveRun[] = [];
    for (const runs of this.runs.byGateway()) {
      // Runs are stored in the order in which they began. Late runs are not, but they settle at once.
      for (const run of runs) {
        if (run.context.startedAt > startedBy) break;
        found.push(run.view());
      }
    }
    return found;
  }

  /** Stops every actor. Runs in `buffering` get no outcome. */
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
    if (before !== undefined && isAnother(event, before.said)) return this.spawn(asAnother(routed));
    if (before !== undefined && !(before.mayStillSpeak && this.speaks(event, key))) {
      report.afterEnd(routed);
      if (before.mayStillSpeak && event.state === "delta") this.lateTexts.read(key, event);
      // The run continues: a discarded run streams to its end. Its window starts again.
      if (event.state === "delta" || event.state === "status") this.settled.set(key, before);
      return undefined;
    }
    if (this.runs.size >= maxRuns && event.state !== "final") return this.refuse(key, routed);
    const startedAt = before?.startedAt ?? at;
    const actor = this.actors.spawn({ runId, gateway, owner, sessionKey, startedAt, ttlMs });
    const run = new Run(
      actor,
      key,
      report.stats.started + 1,
      startedAt,
      before !== undefined,
      originOf(runId, sessionKey),
    );
    const hint = this.hints.get(key);
    if (hint !== undefined) run.learn(hint);
    if (before !== undefined) run.learn(before);
    actor.subscribe({ complete: () => this.retire(run) });
    if (before !== undefined) this.settled.delete(key);
    this.runs.set(gateway, runId, run);
    report.started(this.runs.size);
    actor.start();
    if (before !== undefined) run.lateText = this.lateTexts.take(key);
    return run;
  }

  /** Whether a final says something: by its own text or attachments, or by the deltas before it. */
  private speaks({ state, messageText = "", attachments }: ChatEvent, key: string): boolean {
    if (state !== "final") return false;
    return messageText.trim() !== "" || !!attachments?.length || this.lateTexts.textOf(key).trim() !== "";
  }

  /**
   * A run beyond `maxRuns` gets only an outcome, since a flood of actors would exhaust memory. Its final is still
   * dispatched.
   */
  private refuse(key: string, { gateway, owner, event, at: startedAt }: HeardEvent): undefined {
    const { maxRuns, report } = this.options;
    const { runId, sessionKey, messageText, deltaText } = event;
    report.overLimit();
    const hint = this.hints.get(key);
    const origin = this.originAt(runId, sessionKey, event.origin === undefined ? hint : event);
    this.settled.set(key, { mayStillSpeak: true, startedAt, origin, job: event.job ?? hint?.job, said: "" });
    const text = messageText ?? deltaText ?? "";
    const error = `Over \`maxRuns\` (${maxRuns})`;
    const run = {
      gateway,
      runId,
      ...(owner !== undefined && { owner }),
      ...(sessionKey !== undefined && { sessionKey }),
      origin,
      startedAt,
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

  /** Where a run comes from, as far as `known` and its names tell. */
  private originAt(runId: string, sessionKey: string | undefined, known: Pick<Hint, "origin"> | undefined): Origin {
    return this.isSolicited(runId) ? "requested" : (known?.origin ?? originOf(runId, sessionKey));
  }

  private isSolicited(runId: string): boolean {
    return this.solicited.get(runId) !== undefined;
  }

  private send(run: Run, event: ChatEvent): void {
    switch (event.state) {
      case "status":
        // Only runs that a client asked for send this state.
        return run.learn({ origin: "requested" });
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
    const { attachments = NONE } = event;
    const isEmpty = isBlank(text) && attachments.length === 0;
    const isSilent = !handOverSilence && attachments.length === 0 && isSilence(text);
    const isOurs = this.isSolicited(context.runId);
    const job = this.jobNames.named(context.gateway, run.job ?? jobOf(context.runId, sessionKey));
    const finished = { ...context, sessionKey, text, late, recovered, origin, agentId, job, attachments };
    const decision = isEmpty ? undefined : isOurs ? "solicited" : isSilent ? "empty" : decide(finished, this.options);
    const verdict = typeof decision === "string" ? { discard: decision } : { message: decision };
    run.actor.send({ type: "final", text: own, sessionKey, attachments, ...verdict });
  }

  private tooLong(text: string): boolean {
    const { maxTextBytes } = this.options;
    // A UTF-16 code unit takes at most three bytes. Bytes are counted only near the limit, because counting reads the
    // whole text.
    return text.length * 3 > maxTextBytes && Buffer.byteLength(text) > maxTextBytes;
  }

  private giveUp(run: Run, limit: "maxTextBytes" | "maxBufferedBytes"): undefined {
    this.options.report.overLimit();
    run.actor.send({ type: "error", error: `Over \`${limit}\` (${this.options[limit]})`, errorKind: limit });
  }

  private retire(run: Run): void {
    const { output } = run.actor.getSnapshot();
    // Without output the actor was stopped and did not finish.
    if (output === undefined || !this.runs.delete(output.gateway, output.runId)) return;
    const { report, dispatch } = this.options;
    const { status, reason, startedAt, message } = output;
    const { key } = run;
    report.ended(this.runs.size);
    report.buffered(run.chars * -2);
    const mayStillSpeak = status === "discarded" ? reason === "empty" : status !== "dispatched";
    const settled = { mayStillSpeak, startedAt, origin: run.origin, job: run.job, said: "" };
    this.settled.set(key, settled);
    // After a final nothing more is expected.
    if (mayStillSpeak && status !== "discarded") this.lateTexts.keep(key, output.text, run.reader);
    if (status === "dispatched") this.saidTexts.keep(settled, output.text);
    run.retire();
    if (message !== undefined) dispatch(message);
    else report.settled(withoutMessage(output, this.originAt(output.runId, output.sessionKey, run)), output.cause);
  }
}

/**
 * Whether the second final of a dispatched run is another message. What an agent says with its `message` tool comes
 * this way, as a row. A final that only repeats or extends the first is not another message.
 */
function isAnother({ state, messageText = "", attachments, isRow }: ChatEvent, first: string): boolean {
  if (state !== "final" || isRow !== true) return false;
  const said = first.trim();
  const text = cutBeginning(messageText).trim();
  if (said === "" || isSilence(text)) return false;
  if (text === "") return !!attachments?.length;
  return !text.startsWith(said) && !said.includes(text);
}

/** The second message of a run, as a run with another id. The id is the same on every host. */
function asAnother(heard: HeardEvent): HeardEvent {
  const { event } = heard;
  const { messageText, attachments = NONE } = event;
  const said = messageText || attachments.map(({ id, name }) => id ?? name).join();
  const mark = hash("sha256", said, "base64url").slice(0, 12);
  return { ...heard, event: { ...event, runId: `${event.runId}#${mark}` } };
}

function jobOf(runId: string, sessionKey: string | undefined): Job | undefined {
  const id = jobIdOf(runId, sessionKey);
  return id === undefined ? undefined : { id };
}

const NONE: readonly Attachment[] = [];

function isBlank(text: string | undefined): boolean {
  return text === undefined || text.trim() === "";
}
