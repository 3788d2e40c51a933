import type { Observable } from "rxjs";
import type { DeadLetterPage, LedgerEntry } from "./ledger/ledger.ts";
import type { InboxStats } from "./report/counters.ts";
import type { Answer, AskRequest, SendRequest } from "./runs/own-runs.ts";
import type {
  Activity,
  Alarm,
  DeliveryOutcome,
  LinkStatus,
  LiveRun,
  ProactiveMessage,
  Rejection,
  RunOutcome,
  Session,
} from "./types.ts";

/** How long `start()` waits. */
export interface StartOptions {
  /** Resolve after so many ms even when a link is still connecting; it goes on behind. 0 to 2,147,483,647. Default: wait until each link is live or was told why not. */
  readonly timeoutMs?: number;
  /** Gives the start up: the inbox is stopped, without a drain, and `start()` rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** How long `stop()` waits. */
export interface StopOptions {
  /** How long deliveries may take to finish, in ms, from 0; `Infinity`: until all are done. Default 10,000. */
  readonly drainMs?: number;
}

/** Turns what agents say on their own into complete messages: one per run, in order within a session. */
export interface Inbox<S extends Session = Session> extends AsyncDisposable {
  /**
   * Connects to every Gateway and takes up what an earlier process left undelivered. Resolves when every link is live
   * or has been told why not (`links()` says which), after `timeoutMs` at the latest, and when `stop()` is called. A
   * second call waits for the first.
   *
   * @throws {InboxError} `ERR_INBOX_STOPPED` after `stop()`; `ERR_INBOX_LEDGER` when the ledger cannot be opened, with
   * what to do; then create a new inbox. The signal's reason when `signal` is aborted.
   * @example
   * await inbox.start({ timeoutMs: 5_000 }); // the host boots, whatever the Gateway does
   */
  start(options?: StartOptions): Promise<void>;
  /**
   * Takes one chat event (the payload of a `chat` frame) from a connection of the host's own. Never
   * throws and never waits. Works without `start()`.
   */
  handle(payload: unknown, owner?: string): void;
  /** Says that this run is ours, not proactive: it is discarded as `"solicited"`. Before or after its first event; remembered for `ttlMs`. */
  solicit(runId: string): void;
  /**
   * Says something to an agent, over the inbox's own connection, as a run that is ours: its answer is not
   * proactive and is discarded as `"solicited"`. Resolves with the run's id once the Gateway has accepted it;
   * the answer itself is the host's to listen for. See docs/gateway.md for what a busy session makes of it.
   *
   * @throws {InboxError} `ERR_INBOX_OPTION` for a wrong request; `ERR_INBOX_SCOPE` without the scope
   * `operator.write`; `ERR_INBOX_NO_LINK` while not connected; `ERR_INBOX_REQUEST` when the Gateway refuses it;
   * `ERR_INBOX_STOPPED` after `stop()`.
   */
  send(request: SendRequest): Promise<{ readonly runId: string }>;
  /**
   * Says something to an agent, as `send()` does, and resolves with what it answers. A connection that breaks meanwhile is
   * waited out; the answer is then found in the history. At most `ttlMs`.
   *
   * @throws {InboxError} what `send()` throws; `ERR_INBOX_NO_ANSWER` when the run ends without an answer, with
   * `details.outcome`: `"errored"`, `"aborted"`, `"expired"`, or `"merged"` (a busy session made the question part of
   * another run); `ERR_INBOX_STOPPED` when the inbox is stopped; the reason of `signal` when that is aborted.
   * @example
   * const { text } = await inbox.ask({ sessionKey: "agent:main:main", text: "What is on today?" });
   */
  ask(request: AskRequest): Promise<Answer>;
  /**
   * The messages, for a `for await` loop in place of `deliver`: at least once each, one at a time. A message counts as
   * delivered when its body is done and the loop asks for the next. One whose body throws, or leaves the loop, comes
   * again. There is no time limit. Call it before `start()`: what is taken on while no loop is open counts as delivered.
   * The loop ends when the inbox is stopped.
   *
   * @throws {InboxError} `ERR_INBOX_OPTION` when the inbox has the option `deliver`.
   * @example
   * const messages = inbox.messages();
   * await inbox.start();
   * for await (const { sessionKey, text } of messages) await post(sessionKey, text);
   */
  messages(): AsyncIterableIterator<ProactiveMessage<S>>;
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
  /**
   * Every chat event with what it did, every delta included, and every delivery attempt: for inspectors. It is told
   * while the event is handled, thousands of times a second: be quick. Costs nothing while nobody subscribes.
   */
  readonly activity$: Observable<Activity>;
  /** The ledger file can no longer be written (messages are delivered from memory and are not safe), or can again. */
  readonly alarms$: Observable<Alarm>;
  /** The runs in `buffering`. */
  runs(): readonly LiveRun[];
  /** Where each link stands, in the order of the options. */
  links(): readonly LinkStatus[];
  /** The counters, as they are now. */
  stats(): InboxStats;
  /** A page of the messages whose delivery gave up, in the order in which they were taken on: 100 by default, from the first. */
  deadLetters(page?: DeadLetterPage): Promise<readonly LedgerEntry[]>;
  /** Delivers a dead letter anew, from attempt 1. False when there is no dead letter of this id. */
  redeliver(id: string): Promise<boolean>;
  /**
   * Ends whatever `start()` has begun, at any moment: closes every link, takes no new run, waits at most `drainMs` for
   * deliveries to finish, then aborts the rest. With a ledger that lasts they are taken up by the next start.
   * Idempotent. Does not reject.
   */
  stop(options?: StopOptions): Promise<void>;
}
