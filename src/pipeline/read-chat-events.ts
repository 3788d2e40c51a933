import { Observable, type OperatorFunction } from "rxjs";
import { readChatEvent } from "../protocol/chat-event.ts";
import type { RejectReason, RoutedEvent } from "../types.ts";

/** The payload of a chat event as it came, with the connection it came over. */
export interface InboundPayload {
  readonly gateway: string;
  readonly owner?: string;
  readonly payload: unknown;
}

/** Payloads to chat events; what lacks something we need is reported. */
export function readChatEvents(options: {
  readonly onReject: (gateway: string, reason: RejectReason) => void;
}): OperatorFunction<InboundPayload, RoutedEvent> {
  return (payloads$) =>
    new Observable((subscriber) =>
      payloads$.subscribe({
        next({ gateway, owner, payload }) {
          const event = readChatEvent(payload);
          if (typeof event === "string") options.onReject(gateway, event);
          else subscriber.next(owner === undefined ? { gateway, event } : { gateway, owner, event });
        },
        error: (error) => subscriber.error(error),
        complete: () => subscriber.complete(),
      }),
    );
}
