import { Observable, type OperatorFunction } from "rxjs";
import type { InboundEvent } from "./parse-frames.ts";

/** Passes the chat events on and hands every other event to `onOther`. */
export function takeChat(onOther: (event: InboundEvent) => void): OperatorFunction<InboundEvent, InboundEvent> {
  return (events$) =>
    new Observable((subscriber) =>
      events$.subscribe({
        next(event) {
          if (event.event === "chat") subscriber.next(event);
          else onOther(event);
        },
        error: (error) => subscriber.error(error),
        complete: () => subscriber.complete(),
      }),
    );
}
