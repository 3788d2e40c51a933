import { Observable, type OperatorFunction } from "rxjs";
import type { Clock } from "../kit/clock.ts";
import { readChatEvent } from "../protocol/chat-event.ts";
import type { HeardEvent, RejectReason } from "../types.ts";

/** The payload of a chat event as it came, with the connection it came over. */
export interface InboundPayload {
  readonly gateway: string;
  readonly owner?: string;
  readonly payload: unknown;
}

/** Payloads to chat events; what lacks something we need is reported. */
export function readChatEvents(options: {
  readonly clock: Clock;
  readonly onReject: (gateway: string, reason: RejectReason) => void;
}): OperatorFunction<InboundPayload, HeardEvent> {
  return (payloads$) =>
    new Observable((subscriber) =>
      payloads$.subscribe({
        next({ gateway, owner, payload }) {
          const event = readChatEvent(payload);
          if (typeof event === "string") return options.onReject(gateway, event);
          const at = options.clock.now();
          subscriber.next(owner === undefined ? { gateway, event, at } : { gateway, owner, event, at });
        },
        error: (error) => subscriber.error(error),
        complete: () => subscriber.complete(),
      }),
    );
}
