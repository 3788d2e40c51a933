import type { Observable } from "rxjs";
import type { Alarm, DeliveryOutcome, LinkStatus, ProactiveMessage, RunOutcome, Session } from "../types.ts";

/** What a {@link Deliver} handler is told about the attempt. */
export interface DeliverContext {
  /** The number of this attempt, from 1. A dead letter that is delivered again starts over at 1. */
  readonly attempt: number;
  /**
   * Aborted when the attempt has taken too long or the inbox stops. The inbox does not wait for anything after that.
   */
  readonly signal: AbortSignal;
}

/** The observables that a handler can watch. All of them complete when the inbox stops. */
export interface Watched {
  readonly outcomes$: Observable<RunOutcome>;
  readonly deliveries$: Observable<DeliveryOutcome>;
  readonly links$: Observable<LinkStatus>;
  readonly alarms$: Observable<Alarm>;
}

/**
 * Delivers one message to the host. When it returns or resolves, with any value, the message is delivered. When it
 * throws or rejects, it is called again after the backoff, and not before `details.retryAfterMs` of an `InboxError`.
 * After a `PermanentError` it is not called again.
 *
 * A message may come more than once, for example when the process crashes between the handler's success and its record.
 * It then has the same `message.id`, so make the handler idempotent on that id.
 */
export interface Deliver<S extends Session = Session> {
  (message: ProactiveMessage<S>, context: DeliverContext): unknown;
  /**
   * For handlers that report more than messages. Called once, when the inbox is created. Call `onUntold` for each event
   * that could not be reported: it is counted and logged.
   */
  readonly attach?: (inbox: Watched, onUntold: (name: string, error: unknown) => void) => void;
}
