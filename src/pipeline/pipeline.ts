import { merge, Subject, type Subscription } from "rxjs";
import type { Clock } from "../kit/clock.ts";
import type { Report } from "../report/report.ts";
import type { HeardEvent, RoutedEvent } from "../types.ts";
import { distinctWithin } from "./distinct-within.ts";
import { createEventKey } from "./event-key.ts";
import { type InboundEvent, type InboundFrame, parseFrames } from "./parse-frames.ts";
import { type InboundPayload, readChatEvents } from "./read-chat-events.ts";
import { takeChat } from "./take-chat.ts";

export interface PipelineOptions {
  readonly clock: Clock;
  readonly report: Pick<Report, "frame" | "heard" | "duplicate" | "dedupEvicted" | "rejected">;
  readonly dedupWindowMs: number;
  readonly maxDedupKeys: number;
  readonly maxFrameBytes: number;
  /** Takes each chat event to its run. Must not throw. */
  readonly route: (event: HeardEvent) => void;
  /** Takes every event that is not a chat event. Must not throw. */
  readonly onOther: (event: InboundEvent) => void;
}

/** The one path of every event: frames, payloads of a host's own, and what recovery finds all end in `route`. */
export interface Pipeline {
  frame(frame: InboundFrame): void;
  payload(payload: InboundPayload): void;
  event(event: RoutedEvent): void;
  close(): void;
}

export function createPipeline(options: PipelineOptions): Pipeline {
  const { clock, report, dedupWindowMs, maxDedupKeys, maxFrameBytes, route, onOther } = options;
  const frames = new Subject<InboundFrame>();
  const payloads = new Subject<InboundPayload>();
  const events = new Subject<HeardEvent>();

  const chatPayloads = frames.pipe(
    parseFrames({ maxFrameBytes, onReject: (gateway, bad) => report.rejected({ gateway, ...bad }) }),
    takeChat(onOther),
  );
  const chatEvents = merge(chatPayloads, payloads).pipe(
    readChatEvents({ clock, onReject: (gateway, reason) => report.rejected({ gateway, reason }) }),
  );
  const subscription: Subscription = merge(chatEvents, events)
    .pipe(
      distinctWithin<HeardEvent>({
        group: ({ event }) => event.runId,
        key: createEventKey(),
        at: ({ at }) => at,
        windowMs: dedupWindowMs,
        maxKeys: maxDedupKeys,
        clock,
        onDuplicate: (event) => report.duplicate(event),
        onEvict: () => report.dedupEvicted(),
      }),
    )
    .subscribe((event) => {
      report.heard();
      route(event);
    });

  return {
    frame(frame) {
      report.frame();
      frames.next(frame);
    },
    payload: (payload) => payloads.next(payload),
    event: (event) => events.next({ ...event, at: clock.now() }),
    close: () => subscription.unsubscribe(),
  };
}
