import type { Observable } from "rxjs";
import type { DeadLetterPage, LedgerEntry } from "./ledger/ledger.ts";
import type { InboxStats } from "./report/counters.ts";
import type { SendRequest } from "./runs/own-runs.ts";
import type { LinkStatus } from "./source/link.ts";
import type {
  Activity,
  Alarm,
  DeliveryOutcome,
  LiveRun,
  ProactiveMessage,
  Rejection,
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
   * Closes every link, takes no new run, waits at most `drainMs` (default 10,000) for deliveries to
   * finish, then aborts the rest: with a ledger file they are taken up by the next start. Idempotent.
   */
  stop(options?: { readonly drainMs?: number }): Promise<void>;
}
