import type { Observable } from "rxjs";
import type { DeliveryOutcome, LinkStatus, ProactiveMessage, RunOutcome, Session } from "../types.ts";

/** What a {@link Deliver} handler is told about the attempt. */
export interface DeliverContext {
  /** Which attempt this is, from 1. A message that was replayed from the dead letters starts over at 1. */
  readonly attempt: number;
  /** Aborted when the attempt has taken too long or the inbox stops; whatever happens after that is not waited for. */
  readonly signal: AbortSignal;
}

/** What a handler can watch of the inbox whose handler it is. All of it completes when the inbox stops. */
export interface Watched {
  readonly outcomes$: Observable<RunOutcome>;
  readonly deliveries$: Observable<DeliveryOutcome>;
  readonly links$: Observable<LinkStatus>;
}

/**
 * Hands one message over to the host. Returning or resolving, with whatever value, means it is done for good; a throw or
 * rejection is another attempt after the backoff, not before `details.retryAfterMs` of an
 * `InboxError`, and never again after a `PermanentError`.
 *
 * A message may come more than once (a crash between success and its record), always with the same
 * `message.id`: make the effect idempotent on it.
 */
export interface Deliver<S extends Session = Session> {
  (message: ProactiveMessage<S>, context: DeliverContext): unknown;
  /**
   * For handlers that tell of more than messages: called once, when the inbox is created. `onUntold` counts and logs what
   * could not be told.
   */
  readonly attach?: (inbox: Watched, onUntold: (name: string, error: unknown) => void) => void;
}
