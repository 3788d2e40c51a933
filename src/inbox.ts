import { Dispatch, type DispatchOptions } from "./delivery/dispatch.ts";
import { Pull } from "./delivery/pull.ts";
import { assertKnownKeys, InboxError, optionError } from "./errors.ts";
import type { Inbox, StartOptions, StopOptions } from "./inbox-api.ts";
import { MAX_DELAY_MS } from "./kit/clock.ts";
import { deadline, orAborted } from "./kit/deadline.ts";
import { nodeProblem } from "./kit/node-version.ts";
import type { DeadLetterPage, Ledger, LedgerEntry } from "./ledger/ledger.ts";
import { createMemoryLedger } from "./ledger/memory.ts";
import { createSqliteLedger } from "./ledger/sqlite/sqlite.ts";
import { type InboxOptions, type InboxSettings, resolveOptions } from "./options.ts";
import { createPipeline } from "./pipeline/pipeline.ts";
import { MAX_ID_CHARS, readId } from "./protocol/fields.ts";
import { Recoveries } from "./recovery/recovery.ts";
import type { InboxStats } from "./report/counters.ts";
import { inspection } from "./report/inspection.ts";
import { Report } from "./report/report.ts";
import { type Answer, type AskRequest, OwnRuns, type SendRequest } from "./runs/own-runs.ts";
import { Supervisor } from "./runs/supervisor.ts";
import { type DownloadOptions, download } from "./source/download.ts";
import { Link } from "./source/link.ts";
import { toSources } from "./source/to-sources.ts";
import type { LinkStatus, LiveRun, ProactiveMessage, Session } from "./types.ts";

/** The Gateway name of events that come through `handle()`, and of a Gateway without a `name`. */
const DEFAULT_GATEWAY = "default";

/**
 * Creates an inbox. Nothing is opened before `start()`, but `handle()` works at once.
 *
 * @example
 * const inbox = createInbox({
 *   gateway: { url: "ws://127.0.0.1:18789", token: process.env.OPENCLAW_GATEWAY_TOKEN },
 *   ledger: "./inbox.db",
 *   deliver: async (message) => post(message.sessionKey, message.text),
 * });
 * await inbox.start();
 *
 * @throws {InboxError} `ERR_INBOX_OPTION` for a wrong option, and on a Node that is too old.
 */
export function createInbox<S extends Session = Session>(options: InboxOptions<S> = {}): Inbox<S> {
  const problem = nodeProblem();
  if (problem !== undefined) throw new InboxError("ERR_INBOX_OPTION", problem, { option: "node" });
  // Inside, a session has no type of its own. Only the host knows what its function returns.
  return new RunningInbox(resolveOptions(options as unknown as InboxOptions)) as unknown as Inbox<S>;
}

class RunningInbox implements Inbox {
  readonly #settings: InboxSettings;
  readonly #report: Report;
  readonly #ledger: Ledger;
  readonly #dispatch: Dispatch;
  readonly #pull = new Pull();
  readonly #supervisor: Supervisor;
  readonly #pipeline;
  readonly #links: readonly Link[];
  readonly #ownRuns: OwnRuns;
  readonly #recoveries: Recoveries;
  /** Aborted by `stop()`. Everything that waits listens to it. */
  readonly #life = new AbortController();
  #started: Promise<void> | undefined;
  #stopped: Promise<void> | undefined;

  readonly messages$;
  readonly outcomes$;
  readonly deliveries$;
  readonly rejections$;
  readonly links$;
  readonly activity$;
  readonly alarms$;

  constructor(settings: InboxSettings) {
    this.#settings = settings;
    const { logger, retry } = settings;
    const joined = () => [...this.#supervisor.joined(), ...this.#dispatch.delivering()];
    const report = new Report({ logger, joined });
    const parts = { ...settings, ...retry, report, inspect: inspection(settings, report) };
    const sources = toSources(settings);
    this.#report = report;
    this.#ledger = openLedger(settings);
    this.#dispatch = new Dispatch({ ...parts, ...this.#handler(), ledger: this.#ledger });
    this.#supervisor = new Supervisor({ ...parts, dispatch: (message) => this.#dispatch.take(message) });
    this.#pipeline = createPipeline({
      ...parts,
      route: (event) => {
        if (!this.#recoveries.keeps(event)) this.#supervisor.handle(event);
      },
      onOther: (event) => this.#recoveries.event(event),
    });
    this.#links = sources.map((source) => new Link(source, parts));
    const solicit = (runId: string) => {
      this.#supervisor.solicit(runId);
      return this.#dispatch.solicit(runId, settings.clock.now() + settings.ttlMs);
    };
    this.#ownRuns = new OwnRuns({
      ...settings,
      sources,
      outcomes$: report.outcomes$,
      signal: this.#life.signal,
      solicit,
      awaitAnswer: (runId, wanted) => this.#supervisor.awaitAnswer(runId, wanted),
    });
    this.#recoveries = new Recoveries({
      ...parts,
      links: this.#links,
      ledger: this.#ledger,
      supervisor: this.#supervisor,
      emit: (event) => this.#pipeline.event(event),
    });
    const { messages$, outcomes$, deliveries$, rejections$, links$, activity$, alarms$ } = report;
    this.messages$ = messages$;
    this.outcomes$ = outcomes$;
    this.deliveries$ = deliveries$;
    this.rejections$ = rejections$;
    this.links$ = links$;
    this.activity$ = activity$;
    this.alarms$ = alarms$;
    settings.deliver?.attach?.(this, (name, error) => report.eventUntold(name, error));
  }

  /**
   * The host's handler. Without one, messages are delivered one by one to the loops over `messages()`, without a time
   * limit.
   */
  #handler(): Pick<DispatchOptions, "deliver" | "concurrency" | "timeoutMs"> {
    const { deliver, concurrency, timeoutMs } = this.#settings;
    if (deliver !== undefined) return { deliver, concurrency, timeoutMs };
    return { deliver: this.#pull.deliver, concurrency: 1, timeoutMs: Number.POSITIVE_INFINITY };
  }

  async start(options: StartOptions = {}): Promise<void> {
    const { timeoutMs, signal } = checkStart(options);
    if (this.#stopped !== undefined) throw stoppedError();
    signal?.throwIfAborted();
    this.#started ??= this.#begin();
    await this.#waitFor(this.#started, timeoutMs, signal);
    if (signal?.aborted !== true) return;
    await this.stop({ drainMs: 0 });
    throw signal.reason;
  }

  /** The inbox may be stopped during each step, so each step checks for that. */
  async #begin(): Promise<void> {
    await this.#dispatch.start();
    for (const link of this.#links) this.#open(link);
    await Promise.all(this.#links.map(({ answered }) => answered));
  }

  /**
   * Resolves when `work` does, after `ms`, when `given` is aborted, or when the inbox is stopped, whichever comes
   * first.
   */
  async #waitFor(work: Promise<void>, ms: number | undefined, given: AbortSignal | undefined): Promise<void> {
    const { clock } = this.#settings;
    const life = this.#life.signal;
    const signal = given === undefined ? life : AbortSignal.any([given, life]);
    const limit = deadline({
      clock,
      ms: ms ?? Number.POSITIVE_INFINITY,
      reason: () => undefined,
      signal,
      keepAlive: true,
    });
    try {
      await orAborted(work, limit.signal);
    } catch (error) {
      if (!limit.signal.aborted) throw error;
    } finally {
      limit.release();
    }
  }

  #open(link: Link): void {
    if (this.#life.signal.aborted) return;
    const { source } = link;
    const { name: gateway, owner } = source;
    link.open({
      frame: (data) => {
        // With a spread, V8 would make a hidden class for each frame.
        if (!this.#life.signal.aborted)
          this.#pipeline.frame(owner === undefined ? { gateway, data } : { gateway, owner, data });
      },
      link: (event) => {
        link.send(event);
        if (this.#life.signal.aborted) return;
        if (event.type === "hello") {
          this.#pipeline.begin(gateway);
          this.#supervisor.begin(gateway);
        }
        this.#recoveries.link(source, event);
      },
    });
  }

  handle(payload: unknown, owner?: string): void {
    if (this.#stopped !== undefined) return this.#report.afterStop();
    const label = readId(owner);
    // This call never throws, and a message must not be lost because of a wrong label.
    if (label === undefined && owner !== undefined && owner !== "")
      this.#report.hostError("handle", optionError("owner", `a string of at most ${MAX_ID_CHARS} characters`, owner));
    this.#pipeline.payload({ gateway: DEFAULT_GATEWAY, ...(label !== undefined && { owner: label }), payload });
  }

  solicit(runId: string): void {
    if (this.#stopped !== undefined) return;
    // A ledger that fails to record it raises an alarm.
    Promise.resolve(this.#ownRuns.solicit(runId)).catch(() => {});
  }

  async send(request: SendRequest): Promise<{ readonly runId: string }> {
    if (this.#stopped !== undefined) throw stoppedError();
    return this.#ownRuns.send(request);
  }

  async ask(request: AskRequest): Promise<Answer> {
    if (this.#stopped !== undefined) throw stoppedError();
    return this.#ownRuns.ask(request);
  }

  async download(id: string, options: DownloadOptions = {}): Promise<Uint8Array> {
    if (this.#stopped !== undefined) throw stoppedError();
    const sources = this.#links.map(({ source }) => source);
    return download(id, options, { sources, clock: this.#settings.clock, signal: this.#life.signal });
  }

  messages(): AsyncIterableIterator<ProactiveMessage> {
    if (this.#settings.deliver === undefined) return this.#pull.messages();
    throw new InboxError(
      "ERR_INBOX_OPTION",
      "`messages()` needs an inbox without the option `deliver`: a message has one handler",
      { option: "deliver" },
    );
  }

  runs(): readonly LiveRun[] {
    return this.#supervisor.live();
  }

  links(): readonly LinkStatus[] {
    return this.#links.map(({ status }) => status);
  }

  stats(): InboxStats {
    return { ...this.#report.stats };
  }

  deadLetters(page?: DeadLetterPage): Promise<readonly LedgerEntry[]> {
    return this.#ledger.deadLetters(page === undefined ? undefined : checkPage(page));
  }

  redeliver(id: string): Promise<boolean> {
    if (readId(id) === undefined) throw optionError("id", `a string of 1 to ${MAX_ID_CHARS} characters`, id);
    return this.#dispatch.redeliver(id);
  }

  stop(options: StopOptions = {}): Promise<void> {
    const { drainMs } = checkStop(options);
    if (this.#stopped !== undefined && drainMs !== undefined) this.#dispatch.limitDrain(drainMs);
    this.#stopped ??= this.#stop(drainMs ?? 10_000);
    return this.#stopped;
  }

  async #stop(drainMs: number): Promise<void> {
    this.#life.abort(stoppedError());
    this.#recoveries.stop();
    await Promise.all(this.#links.map((link) => link.close()));
    this.#supervisor.stop();
    this.#pipeline.close();
    await this.#dispatch.stop(drainMs);
    this.#pull.stop();
    this.#report.stopped();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

function openLedger({ ledger, clock, retainMs }: InboxSettings): Ledger {
  if (typeof ledger === "object") return ledger;
  if (ledger === undefined) return createMemoryLedger({ clock, retainMs });
  return createSqliteLedger(ledger, { retainMs });
}

function checkStart(options: StartOptions): StartOptions {
  assertKnownKeys("start()", options, ["timeoutMs", "signal"]);
  const { timeoutMs, signal } = options;
  if (timeoutMs !== undefined && !isDelay(timeoutMs))
    throw optionError("timeoutMs", `a number from 0 to ${MAX_DELAY_MS}`, timeoutMs);
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw optionError("signal", "an AbortSignal", signal);
  return options;
}

function checkStop(options: StopOptions): StopOptions {
  assertKnownKeys("stop()", options, ["drainMs"]);
  const { drainMs } = options;
  if (drainMs !== undefined && drainMs !== Number.POSITIVE_INFINITY && !isDelay(drainMs))
    throw optionError("drainMs", `a number from 0 to ${MAX_DELAY_MS}, or Infinity`, drainMs);
  return options;
}

function checkPage(page: DeadLetterPage): DeadLetterPage {
  assertKnownKeys("deadLetters()", page, ["limit", "after", "newestFirst"]);
  const { limit, after, newestFirst } = page;
  if (limit !== undefined && (!Number.isSafeInteger(limit) || limit < 1))
    throw optionError("limit", "an integer >= 1", limit);
  if (after !== undefined && readId(after) === undefined)
    throw optionError("after", `the id of a message, of 1 to ${MAX_ID_CHARS} characters`, after);
  if (newestFirst !== undefined && typeof newestFirst !== "boolean")
    throw optionError("newestFirst", "true or false", newestFirst);
  return page;
}

function isDelay(value: unknown): boolean {
  return typeof value === "number" && value >= 0 && value <= MAX_DELAY_MS;
}

function stoppedError(): InboxError {
  return new InboxError("ERR_INBOX_STOPPED", "This inbox was stopped; create a new one");
}
