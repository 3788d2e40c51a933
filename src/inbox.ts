import { type Observable, Subject } from "rxjs";
import type { RunOutput } from "../machines/run.ts";
import { Delivery } from "./delivery/delivery.ts";
import { InboxError } from "./errors.ts";
import { inspection } from "./inspection.ts";
import type { Ledger, LedgerEntry } from "./ledger/ledger.ts";
import { createMemoryLedger } from "./ledger/memory.ts";
import { createLogbook } from "./logbook.ts";
import { type InboxOptions, type InboxSettings, resolveOptions } from "./options.ts";
import { createPipeline } from "./pipeline/pipeline.ts";
import { gatewaySource } from "./source/gateway.ts";
import type { GatewayOptions } from "./source/gateway-options.ts";
import { Link, type LinkStatus } from "./source/link.ts";
import type { Source } from "./source/source.ts";
import { createStats, type InboxStats } from "./stats.ts";
import { createJudge } from "./supervisor/judge.ts";
import { Supervisor } from "./supervisor/supervisor.ts";
import type {
  Activity,
  DeliveryOutcome,
  EventEffect,
  LiveRun,
  ProactiveMessage,
  Rejection,
  RoutedEvent,
  RunOutcome,
  Session,
} from "./types.ts";

/** Turns what agents say on their own into complete messages: one per run, in order within a session. */
export interface Inbox<S extends Session = Session> extends AsyncDisposable {
  /**
   * Connects to every Gateway and takes up what an earlier process left undelivered. Resolves when
   * every link is live or has been told why not; look at `links()` for which.
   *
   * @throws {InboxError} `ERR_INBOX_STOPPED` after `stop()`.
   */
  start(): Promise<void>;
  /**
   * Takes one chat event (the payload of a `chat` frame) from a connection of the host's own. Never
   * throws and never waits. Works without `start()`.
   */
  handle(payload: unknown, owner?: string): void;
  /** Says that this run is ours, not proactive: it is discarded as `"solicited"`. Before or after its first event; remembered for `ttlMs`. */
  solicit(runId: string): void;
  /** Every message, once it is recorded in the ledger and given to delivery. */
  readonly messages$: Observable<ProactiveMessage<S>>;
  /** Every settled run, whatever its end. */
  readonly outcomes$: Observable<RunOutcome<S>>;
  /** Every message that was delivered or has died. */
  readonly deliveries$: Observable<DeliveryOutcome<S>>;
  /** Every frame or event that could not be read. */
  readonly rejections$: Observable<Rejection>;
  /** Every change of a link. */
  readonly links$: Observable<LinkStatus>;
  /** Every chat event with what it did, and every delivery attempt: for inspectors. Costs nothing while nobody subscribes. */
  readonly activity$: Observable<Activity>;
  /** How long a run may go on, in ms: the option, or its default. */
  readonly ttlMs: number;
  /** The runs in `buffering`. */
  runs(): readonly LiveRun[];
  /** Where each link stands, in the order of the options. */
  links(): readonly LinkStatus[];
  /** The counters, as they are now. */
  stats(): InboxStats;
  /** The messages whose delivery gave up, oldest first. */
  deadLetters(): Promise<readonly LedgerEntry[]>;
  /** Delivers a dead letter anew, from attempt 1. False when there is no dead letter of this id. */
  redeliver(id: string): Promise<boolean>;
  /**
   * Closes every link, takes no new run, waits at most `drainMs` (default 10,000) for deliveries to
   * finish, then aborts the rest: with a ledger file they are taken up by the next start. Idempotent.
   */
  stop(options?: { readonly drainMs?: number }): Promise<void>;
}

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

type UnsentOutcome = Exclude<RunOutcome, { status: "dispatched" }>;

class RunningInbox implements Inbox {
  readonly #settings: InboxSettings;
  readonly #stats = createStats();
  readonly #log;
  readonly #ledger: Ledger;
  readonly #delivery: Delivery;
  readonly #supervisor: Supervisor;
  readonly #pipeline;
  readonly #links: readonly Link[];
  readonly #taking = new Set<Promise<void>>();
  readonly #messages = new Subject<ProactiveMessage>();
  readonly #outcomes = new Subject<RunOutcome>();
  readonly #deliveries = new Subject<DeliveryOutcome>();
  readonly #rejections = new Subject<Rejection>();
  readonly #linkChanges = new Subject<LinkStatus>();
  readonly #activity = new Subject<Activity>();
  #started: Promise<void> | undefined;
  #stopped: Promise<void> | undefined;

  readonly messages$ = this.#messages.asObservable();
  readonly outcomes$ = this.#outcomes.asObservable();
  readonly deliveries$ = this.#deliveries.asObservable();
  readonly rejections$ = this.#rejections.asObservable();
  readonly links$ = this.#linkChanges.asObservable();
  readonly activity$ = this.#activity.asObservable();

  constructor(settings: InboxSettings) {
    this.#settings = settings;
    const { clock, logger, retry } = settings;
    const inspect = inspection(settings.inspect, settings.inspectText);
    const parts = { ...settings, ...retry, stats: this.#stats, inspect };
    this.#log = createLogbook(logger);
    const sources = toSources(settings.sources);
    this.#ledger = openLedger(settings);
    this.#delivery = new Delivery({
      ...parts,
      onAttempt: (message, attempt) => {
        if (this.#activity.observed) this.#activity.next({ kind: "attempt", message, attempt });
      },
      onRetry: (message, attempts, error, delayMs) => this.#noteRetry(message, attempts, error, delayMs),
      onDone: (message, { status, attempts, error = "" }) => {
        if (status === "delivered") this.#noteDelivered(message, attempts);
        else this.#noteDead(message, attempts, error);
      },
    });
    this.#supervisor = new Supervisor({
      ...parts,
      judge: createJudge({ ...parts, onHostError: (option, error) => this.#noteHostError(option, error) }),
      onSettled: (output, message) => this.#settle(output, message),
      onEvent: (event, effect, chars) => this.#noteEvent(event, effect, chars),
    });
    this.#pipeline = createPipeline({
      ...parts,
      route: (event: RoutedEvent) => this.#supervisor.handle(event),
      onDuplicate: (event) => this.#noteEvent(event, "duplicate", 0),
      onOther: () => {},
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
    this.#links = sources.map((source) => new Link(source, { clock, onChange, inspect }));
  }

  start(): Promise<void> {
    if (this.#stopped !== undefined)
      return Promise.reject(new InboxError("ERR_INBOX_STOPPED", "This inbox was stopped; create a new one"));
    this.#started ??= this.#start();
    return this.#started;
  }

  async #start(): Promise<void> {
    for (const entry of await this.#ledger.claim()) this.#deliver(entry);
    for (const link of this.#links) this.#open(link);
    await Promise.all(this.#links.map(({ settled }) => settled));
  }

  #open(link: Link): void {
    const { source } = link;
    const from = { gateway: source.name, ...(source.owner !== undefined && { owner: source.owner }) };
    source.open({
      frame: (data) => {
        if (this.#stopped === undefined) this.#pipeline.frame({ ...from, data });
      },
      link: (event) => {
        link.send(event);
        if (event.type === "hello") link.send({ type: "recovered" });
      },
    });
  }

  handle(payload: unknown, owner?: string): void {
    if (this.#stopped !== undefined) this.#stats.afterStop += 1;
    else this.#pipeline.payload({ gateway: DEFAULT_GATEWAY, ...(owner !== undefined && { owner }), payload });
  }

  solicit(runId: string): void {
    this.#supervisor.solicit(runId);
  }

  get ttlMs(): number {
    return this.#settings.ttlMs;
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

  deadLetters(): Promise<readonly LedgerEntry[]> {
    return this.#ledger.deadLetters();
  }

  async redeliver(id: string): Promise<boolean> {
    const entry = await this.#ledger.revive(id);
    if (entry !== undefined) this.#deliver(entry);
    return entry !== undefined;
  }

  stop({ drainMs = 10_000 }: { readonly drainMs?: number } = {}): Promise<void> {
    this.#stopped ??= this.#stop(drainMs);
    return this.#stopped;
  }

  async #stop(drainMs: number): Promise<void> {
    await Promise.all(this.#links.map((link) => link.close()));
    this.#supervisor.stop();
    this.#pipeline.close();
    await Promise.all(this.#taking);
    await this.#delivery.stop(drainMs);
    await this.#ledger.close();
    this.#log.stopped(this.#stats.unfinished, this.#stats.pending);
    const subjects = [this.#messages, this.#outcomes, this.#deliveries, this.#rejections, this.#linkChanges];
    for (const subject of [...subjects, this.#activity]) subject.complete();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #settle(output: RunOutput, message: ProactiveMessage | undefined): void {
    if (message !== undefined) return this.#take(message);
    const outcome = unsent(output);
    this.#stats[outcome.status] += 1;
    this.#log.settled(outcome);
    this.#outcomes.next(outcome);
  }

  /** Records the message; only then is it dispatched. */
  #take(message: ProactiveMessage): void {
    const taken = this.#ledger.take(message);
    if (typeof taken === "boolean") return this.#dispatch(message, taken);
    const taking = taken
      .catch((error: unknown) => {
        // Better delivered from memory than not at all: the ledger's trouble is not the reader's.
        this.#log.ledgerError(error);
        return true;
      })
      .then((isNew) => this.#dispatch(message, isNew))
      .finally(() => this.#taking.delete(taking));
    this.#taking.add(taking);
  }

  #dispatch(message: ProactiveMessage, isNew: boolean): void {
    if (!isNew) {
      this.#stats.alreadyTaken += 1;
      return this.#log.alreadyTaken(message);
    }
    this.#stats.dispatched += 1;
    if (message.late) this.#stats.late += 1;
    const outcome = { status: "dispatched", message } as const;
    this.#log.settled(outcome);
    this.#outcomes.next(outcome);
    this.#messages.next(message);
    this.#deliver({ message, attempts: 0 });
  }

  #deliver(entry: Pick<LedgerEntry, "message" | "attempts">): void {
    this.#stats.pending += 1;
    const { maxPending } = this.#settings;
    if (this.#stats.pending > maxPending)
      return this.#noteDead(entry.message, entry.attempts, `Over \`maxPending\` (${maxPending})`);
    this.#delivery.accept(entry);
  }

  #noteDelivered(message: ProactiveMessage, attempts: number): void {
    this.#stats.pending -= 1;
    this.#stats.delivered += 1;
    this.#ledger.delivered(message.id, attempts);
    this.#log.delivered(message, attempts);
    this.#deliveries.next({ status: "delivered", message, attempts });
  }

  #noteDead(message: ProactiveMessage, attempts: number, error: string): void {
    this.#stats.pending -= 1;
    this.#stats.dead += 1;
    this.#ledger.dead(message.id, attempts, error);
    this.#log.died(message, attempts, error);
    this.#deliveries.next({ status: "dead", message, attempts, error });
  }

  #noteRetry(message: ProactiveMessage, attempts: number, error: string, delayMs: number): void {
    this.#stats.retried += 1;
    if (this.#activity.observed) this.#activity.next({ kind: "retry", message, attempt: attempts, error, delayMs });
    this.#ledger.attempted(message.id, attempts, error);
    this.#log.retried(message, attempts, error, delayMs);
  }

  #noteEvent(routed: RoutedEvent, effect: EventEffect, chars: number): void {
    if (effect === "unknown-state") this.#log.unknownState(routed);
    if (this.#activity.observed) this.#activity.next({ kind: "event", effect, chars, ...routed });
  }

  #noteHostError(option: string, error: unknown): void {
    this.#stats.hostErrors += 1;
    this.#log.hostError(option, error);
  }
}

/** The outcome of a run that has no message. */
function unsent({
  status,
  reason,
  error,
  errorKind,
  gateway,
  owner,
  runId,
  sessionKey,
  text,
}: RunOutput): UnsentOutcome {
  const run = {
    gateway,
    runId,
    ...(owner !== undefined && { owner }),
    ...(sessionKey !== undefined && { sessionKey }),
    text,
  };
  switch (status) {
    case "errored":
      return { status, error: error ?? "Unknown error", ...(errorKind !== undefined && { errorKind }), ...run };
    case "aborted":
    case "expired":
      return { status, ...run };
    default:
      return { status: "discarded", reason: reason ?? "empty", ...run };
  }
}

/** The options' Gateways and sources, each as a source. */
function toSources(sources: readonly (GatewayOptions | Source)[]): readonly Source[] {
  const addresses = new Map<string, string>();
  return sources.map((source) => {
    if (typeof source === "object" && source !== null && "open" in source) return source;
    const opened = gatewaySource(source);
    const address = addresses.get(opened.name) ?? source.url;
    if (address !== source.url) {
      throw new InboxError(
        "ERR_INBOX_OPTION",
        `Expected each Gateway to have a \`name\` of its own, got \`${opened.name}\` for two addresses`,
        { option: "gateway" },
      );
    }
    addresses.set(opened.name, address);
    return opened;
  });
}

function openLedger({ ledger, clock, retainMs }: InboxSettings): Ledger {
  if (typeof ledger === "object") return ledger;
  return createMemoryLedger({ clock, retainMs });
}
