import type { Observable } from "rxjs";
import type { DeadLetterPage, LedgerEntry } from "./ledger/ledger.ts";
import type { InboxStats } from "./report/counters.ts";
import type { Answer, AskRequest, SendRequest } from "./runs/own-runs.ts";
import type { DownloadOptions } from "./source/download.ts";
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
  /**
   * Resolve after this many ms, even when a link is still connecting; it keeps connecting. 0 to 2,147,483,647. Default:
   * wait until each link is live or was refused.
   */
  readonly timeoutMs?: number;
  /** Aborting it stops the inbox without waiting for deliveries, and `start()` rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** How long `stop()` waits. */
export interface StopOptions {
  /** How long deliveries may take to finish, in ms, from 0. `Infinity`: until all are done. Default 10,000. */
  readonly drainMs?: number;
}

/** Turns what agents say on their own into complete messages: one per run, in order within a session. */
export interface Inbox<S extends Session = Session> extends AsyncDisposable {
  /**
   * Connects to every Gateway and delivers what an earlier process left undelivered. Resolves when every link is live
   * or has a reason why not (see `links()`), at the latest after `timeoutMs`, and also when `stop()` is called. A
   * second call waits for the first.
   *
   * @throws {InboxError} `ERR_INBOX_STOPPED` after `stop()`. `ERR_INBOX_LEDGER` when the ledger cannot be opened; the
   * error says what to do, and afterwards you need a new inbox. Rejects with the signal's reason when `signal` is
   * aborted.
   * @example
   * await inbox.start({ timeoutMs: 5_000 }); // the host boots, whatever the Gateway does
   */
  start(options?: StartOptions): Promise<void>;
  /**
   * Processes one chat event (the payload of a `chat` frame) from the host's own connection. Works without `start()`.
   * Never throws and never waits.
   */
  handle(payload: unknown, owner?: string): void;
  /**
   * Marks a run as ours, so that it is discarded as `"solicited"`. Call it before or after the run's first event. It is
   * remembered for `ttlMs`.
   */
  solicit(runId: string): void;
  /**
   * Sends a text to an agent over the inbox's own connection. The run is ours, so its answer is discarded as
   * `"solicited"`. Resolves with the run's id when the Gateway has accepted it. To get the answer, use `ask()`, or
   * listen to the Gateway yourself. docs/gateway.md says what a busy session does with it.
   *
   * @throws {InboxError} `ERR_INBOX_OPTION` for a wrong request; `ERR_INBOX_SCOPE` without the scope `operator.write`;
   * `ERR_INBOX_NO_LINK` while not connected; `ERR_INBOX_REQUEST` when the Gateway refuses it; `ERR_INBOX_STOPPED` after
   * `stop()`.
   */
  send(request: SendRequest): Promise<{ readonly runId: string }>;
  /**
   * Sends a text to an agent, as `send()` does, and resolves with the answer. If the connection breaks, it waits for
   * the next one and finds the answer in the history. It waits at most `ttlMs`.
   *
   * @throws {InboxError} everything that `send()` throws; `ERR_INBOX_NO_ANSWER` when the run ends without an answer,
   * with `details.outcome`: `"errored"`, `"aborted"`, `"expired"`, or `"merged"` (a busy session made the question part
   * of another run); `ERR_INBOX_STOPPED` when the inbox is stopped; the reason of `signal` when that is aborted.
   * @example
   * const { text } = await inbox.ask({ sessionKey: "agent:main:main", text: "What is on today?" });
   */
  ask(request: AskRequest): Promise<Answer>;
  /**
   * Reads the bytes of the attachment with this `id`, at once or later for a message from the ledger. They come only from
   * the message's Gateway: over the inbox's connection, or from that Gateway's address.
   *
   * @throws {InboxError} `ERR_INBOX_OPTION` if `id` is not an attachment's id. `ERR_INBOX_NO_LINK` while not connected.
   * `ERR_INBOX_REQUEST` if the Gateway refuses, does not have the file any longer, or takes longer than `timeoutMs`.
   * The same if the file is larger than `maxBytes` or elsewhere. `ERR_INBOX_SCOPE`. `ERR_INBOX_STOPPED`. Rejects with the reason of
   * `signal` when that is aborted.
   * @example
   * for (const { id } of message.attachments) {
   *   if (id !== undefined) await store(message.id, await inbox.download(id, { maxBytes: 10_000_000 }));
   * }
   */
  download(id: string, options?: DownloadOptions): Promise<Uint8Array>;
  /**
   * The messages for a `for await` loop, used without the option `deliver`: each at least once, one at a time. A
   * message is delivered when the loop asks for the next one. If the body throws or leaves the loop, its message comes
   * again. There is no time limit. Call it before `start()`, because without a loop each message counts as delivered at
   * once. The loop ends when the inbox is stopped.
   *
   * @throws {InboxError} `ERR_INBOX_OPTION` when the inbox has the option `deliver`.
   * @example
   * const messages = inbox.messages();
   * await inbox.start();
   * for await (const { sessionKey, text } of messages) await post(sessionKey, text);
   */
  messages(): AsyncIterableIterator<ProactiveMessage<S>>;
  /** Every message, once it is dispatched: recorded in the ledger and given to delivery. */
  readonly messages$: Observable<ProactiveMessage<S>>;
  /** The outcome of every settled run. */
  readonly outcomes$: Observable<RunOutcome<S>>;
  /** Every message that was delivered or became a dead letter. */
  readonly deliveries$: Observable<DeliveryOutcome<S>>;
  /** Every frame or event that could not be read. */
  readonly rejections$: Observable<Rejection>;
  /** Every change of a link. */
  readonly links$: Observable<LinkStatus>;
  /**
   * Every chat event with its effect, deltas included, and every delivery attempt; for inspectors. Subscribers are called
   * while the event is handled, thousands of times a second, so they must be quick. It costs nothing without a
   * subscriber.
   */
  readonly activity$: Observable<Activity>;
  /**
   * Says when the ledger cannot be written, so that messages are delivered from memory and a crash would lose them.
   * Says also when it can be written again.
   */
  readonly alarms$: Observable<Alarm>;
  /** The runs in `buffering`. */
  runs(): readonly LiveRun[];
  /** The state of each link, in the order of the options. */
  links(): readonly LinkStatus[];
  /** The current counters, as a copy. */
  stats(): InboxStats;
  /**
   * A page of the messages whose delivery gave up: oldest first, unless `newestFirst` is set. Default: the first 100.
   */
  deadLetters(page?: DeadLetterPage): Promise<readonly LedgerEntry[]>;
  /**
   * Delivers a dead letter again, starting at attempt 1. Resolves to false when there is no dead letter with this id.
   */
  redeliver(id: string): Promise<boolean>;
  /**
   * Ends everything that `start()` began, at any moment. It closes every link, accepts no new run, waits at most
   * `drainMs` for deliveries to finish, and aborts the rest. With a ledger on disk the next start delivers those.
   * Idempotent. Does not reject.
   */
  stop(options?: StopOptions): Promise<void>;
}
