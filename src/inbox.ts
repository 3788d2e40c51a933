import { Subject } from "rxjs";
import type { RunOutput } from "../machines/run.ts";
import { Dispatch } from "./delivery/dispatch.ts";
import { InboxError } from "./errors.ts";
import type { Inbox } from "./inbox-api.ts";
import { Feed } from "./kit/feed.ts";
import type { DeadLetterPage, Ledger, LedgerEntry } from "./ledger/ledger.ts";
import { createLmdbLedger } from "./ledger/lmdb.ts";
import { createMemoryLedger } from "./ledger/memory.ts";
import { type InboxOptions, type InboxSettings, resolveOptions } from "./options.ts";
import { createPipeline } from "./pipeline/pipeline.ts";
import { Recoveries } from "./recovery/recoveries.ts";
import { createCounters, type InboxStats } from "./report/counters.ts";
import { inspection } from "./report/inspection.ts";
import { createLogbook } from "./report/log.ts";
import { createJudge } from "./runs/outcome.ts";
import { OwnRuns, type SendRequest } from "./runs/own-runs.ts";
import { Supervisor } from "./runs/supervisor.ts";
import { type UnsentOutcome, unsent, unsentMessage } from "./runs/unsent.ts";
import { Link, type LinkStatus } from "./source/link.ts";
import { toSources } from "./source/to-sources.ts";
import type {
  Activity,
  Alarm,
  DeliveryOutcome,
  EventEffect,
  HeardEvent,
  LiveRun,
  ProactiveMessage,
  Rejection,
  RunOutcome,
  RunProgress,
  Session,
} from "./types.ts";

/** The Gateway name of events that come through `handle()`, and of a Gateway without a `name`. */
const DEFAULT_GATEWAY = "default";

/**
 * Creates an inbox. Nothing is opened before `start()`; `handle()` works at once.
 *
 * @throws {InboxError} `ERR_INBOX_OPTION` for a wrong option; `ERR_INBOX_LEDGER` when the ledger file cannot be opened.
 */
export function createInbox<S extends Session = Session>(options: InboxOptions<S> = {}): Inbox<S> {
  // Inside, a session is whatever the host's function returned; only the host knows its type.
  return new RunningInbox(resolveOptions(options as unknown as InboxOptions)) as unknown as Inbox<S>;
}

class RunningInbox implements Inbox {
  readonly #stats = createCounters();
  readonly #log;
  readonly #ledger: Ledger;
  readonly #dispatch: Dispatch;
  readonly #supervisor: Supervisor;
  readonly #pipeline;
  readonly #links: readonly Link[];
  readonly #ownRuns: OwnRuns;
  readonly #recoveries: Recoveries;
  readonly #messages = new Subject<ProactiveMessage>();
  readonly #outcomes = new Subject<RunOutcome>();
  readonly #deliveries = new Subject<DeliveryOutcome>();
  readonly #rejections = new Subject<Rejection>();
  readonly #linkChanges = new Subject<LinkStatus>();
  readonly #activity = new Feed<Activity>(() => this.#supervisor.joined());
  readonly #alarms = new Subject<Alarm>();
  #started: Promise<void> | undefined;
  #stopped: Promise<void> | undefined;

  readonly messages$ = this.#messages.asObservable();
  readonly outcomes$ = this.#outcomes.asObservable();
  readonly deliveries$ = this.#deliveries.asObservable();
  readonly rejections$ = this.#rejections.asObservable();
  readonly links$ = this.#linkChanges.asObservable();
  readonly activity$ = this.#activity.values$;
  readonly alarms$ = this.#alarms.asObservable();

  constructor(settings: InboxSettings) {
    const { clock, logger, retry } = settings;
    const onHostError = (name: string, error: unknown) => this.#noteHostError(name, error);
    const inspect = inspection(settings.inspect, settings.inspectText, (error) => onHostError("inspect", error));
    const parts = { ...settings, ...retry, stats: this.#stats, inspect, onHostError };
    this.#log = createLogbook(logger);
    const sources = toSources(settings.sources);
    this.#ledger = this.#openLedger(settings);
    this.#dispatch = new Dispatch({
      ...parts,
      ledger: this.#ledger,
      log: this.#log,
      onDispatched: (message) => this.#noteDispatched(message),
      onSolicited: (message) => this.#noteUnsent(unsentMessage(message)),
      onDelivery: (outcome) => this.#deliveries.next(outcome),
      onUnsafe: (error) => this.#noteAlarm(error),
      onAttempt: (message, attempt) => {
        if (this.#activity.observed) this.#activity.next({ kind: "attempt", message, attempt });
      },
      onRetry: (message, attempt, error, delayMs) => {
        if (this.#activity.observed) this.#activity.next({ kind: "retry", message, attempt, error, delayMs });
      },
    });
    this.#supervisor = new Supervisor({
      ...parts,
      judge: createJudge(parts),
      onSettled: (output, message) => this.#settle(output, message),
      onEvent: (event, effect, progress) => this.#noteEvent(event, effect, progress),
    });
    this.#pipeline = createPipeline({
      ...parts,
      route: (event: HeardEvent) => this.#supervisor.handle(event),
      onDuplicate: (event) => this.#noteEvent(event, "duplicate", undefined),
      onOther: (event) => this.#recoveries.event(event),
      onReject: (rejection) => {
        this.#stats.rejected += 1;
        this.#log.rejected(rejection);
        this.#rejections.next(rejection);
      },
    });
    const onChange = (status: LinkStatus) => {
      this.#log.linked(status);
      this.#linkChanges.next(status);
    };
    this.#links = sources.map((source) => new Link(source, { clock, onChange, inspect, onHostError }));
    const solicit = (runId: string) => {
      this.#supervisor.solicit(runId);
      return this.#dispatch.solicit(runId, clock.now() + settings.ttlMs);
    };
    this.#ownRuns = new OwnRuns({ sources, solicit });
    this.#recoveries = new Recoveries({
      ...parts,
      links: this.#links,
      ledger: this.#ledger,
      supervisor: this.#supervisor,
      log: this.#log,
      emit: (event) => this.#pipeline.event(event),
    });
  }

  start(): Promise<void> {
    if (this.#stopped !== undefined) return Promise.reject(stoppedError());
    this.#started ??= this.#start();
    return this.#started;
  }

  async #start(): Promise<void> {
    await this.#dispatch.resume();
    for (const link of this.#links) this.#open(link);
    await Promise.all(this.#links.map(({ settled }) => settled));
  }

  #open(link: Link): void {
    const { source } = link;
    const { name: gateway, owner } = source;
    link.open({
      frame: (data) => {
        // No spread: V8 would make a hidden class for each frame.
        if (this.#stopped === undefined)
          this.#pipeline.frame(owner === undefined ? { gateway, data } : { gateway, owner, data });
      },
      link: (event) => {
        link.send(event);
        this.#recoveries.link(source, event);
      },
    });
  }

  handle(payload: unknown, owner?: string): void {
    if (this.#stopped !== undefined) this.#stats.afterStop += 1;
    else this.#pipeline.payload({ gateway: DEFAULT_GATEWAY, ...(owner !== undefined && { owner }), payload });
  }

  solicit(runId: string): void {
    if (this.#stopped === undefined) void this.#ownRuns.solicit(runId);
  }

  async send(request: SendRequest): Promise<{ readonly runId: string }> {
    if (this.#stopped !== undefined) throw stoppedError();
    return this.#ownRuns.send(request);
  }

  runs(): readonly LiveRun[] {
    return this.#supervisor.live();
  }

  links(): readonly LinkStatus[] {
    return this.#links.map(({ status }) => status);
  }

  stats(): InboxStats {
    return { ...this.#stats };
  }

  deadLetters(page?: DeadLetterPage): Promise<readonly LedgerEntry[]> {
    return this.#ledger.deadLetters(page);
  }

  redeliver(id: string): Promise<boolean> {
    return this.#dispatch.redeliver(id);
  }

  stop({ drainMs = 10_000 }: { readonly drainMs?: number } = {}): Promise<void> {
    this.#stopped ??= this.#stop(drainMs);
    return this.#stopped;
  }

  async #stop(drainMs: number): Promise<void> {
    this.#recoveries.stop();
    await Promise.all(this.#links.map((link) => link.close()));
    this.#supervisor.stop();
    this.#pipeline.close();
    await this.#dispatch.stop(drainMs);
    this.#log.stopped(this.#stats.unfinished, this.#stats.pending);
    const subjects = [this.#messages, this.#outcomes, this.#deliveries, this.#rejections, this.#linkChanges];
    for (const subject of [...subjects, this.#activity, this.#alarms]) subject.complete();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #settle(output: RunOutput, message: ProactiveMessage | undefined): void {
    if (message !== undefined) return this.#dispatch.take(message);
    this.#noteUnsent(unsent(output));
  }

  #noteUnsent(outcome: UnsentOutcome): void {
    this.#stats[outcome.status] += 1;
    this.#log.settled(outcome);
    this.#outcomes.next(outcome);
  }

  #noteDispatched(message: ProactiveMessage): void {
    const outcome = { status: "dispatched", message } as const;
    this.#log.settled(outcome);
    this.#outcomes.next(outcome);
    this.#messages.next(message);
  }

  #noteEvent(routed: HeardEvent, effect: EventEffect, progress: RunProgress | undefined): void {
    if (effect === "unknown-state") this.#log.unknownState(routed);
    if (!this.#activity.observed) return;
    const { gateway, owner, event, at } = routed;
    // No spread: this is made for every event.
    const seen = { kind: "event", effect, progress, gateway, event, at } as const;
    this.#activity.next(owner === undefined ? seen : { ...seen, owner });
  }

  #noteAlarm(error: InboxError | undefined): void {
    this.#stats.unsafe = error === undefined ? 0 : 1;
    if (error === undefined) this.#log.ledgerSafe();
    else this.#log.ledgerError(error);
    this.#alarms.next({ part: "ledger", ...(error !== undefined && { error }) });
  }

  #openLedger({ ledger, clock, retainMs }: InboxSettings): Ledger {
    if (typeof ledger === "object") return ledger;
    if (ledger === undefined) return createMemoryLedger({ clock, retainMs });
    return createLmdbLedger(ledger, { clock, retainMs });
  }

  #noteHostError(option: string, error: unknown): void {
    this.#stats.hostErrors += 1;
    this.#log.hostError(option, error);
  }
}

function stoppedError(): InboxError {
  return new InboxError("ERR_INBOX_STOPPED", "This inbox was stopped; create a new one");
}
