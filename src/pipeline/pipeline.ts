import { merge } from "rxjs/internal/observable/merge";
import { filter } from "rxjs/internal/operators/filter";
import { map } from "rxjs/internal/operators/map";
import { Subject } from "rxjs/internal/Subject";
import type { Clock } from "../kit/clock.ts";
import { readChatEvent } from "../protocol/chat-event.ts";
import { type EventFrame, readFrame } from "../protocol/frame.ts";
import type { Report } from "../report/report.ts";
import type { GatewayEvent, HeardEvent } from "../types.ts";
import { distinctWithin } from "./distinct-within.ts";
import { DriftWatch } from "./drift-watch.ts";
import { createEventKey } from "./event-key.ts";

/** A frame as it came, and its connection. */
export interface InboundFrame {
  readonly gateway: string;
  readonly owner?: string;
  readonly data: unknown;
}

/** The payload of a chat event as it came, and its connection. */
export interface InboundPayload {
  readonly gateway: string;
  readonly owner?: string;
  readonly payload: unknown;
}

/** An event frame and its connection. */
export interface InboundEvent extends InboundPayload, EventFrame {}

export interface PipelineOptions {
  readonly clock: Clock;
  readonly report: Pick<Report, "frame" | "heard" | "duplicate" | "dedupEvicted" | "rejected" | "drifted">;
  readonly dedupWindowMs: number;
  readonly maxDedupKeys: number;
  readonly maxFrameBytes: number;
  /** Called with each chat event. Must not throw. */
  readonly route: (event: HeardEvent) => void;
  /** Called with every other event. */
  readonly onOther: (event: InboundEvent) => void;
}

/** The one path of every event. Frames, payloads from the host, and what recovery finds all end in `route`. */
export interface Pipeline {
  frame(frame: InboundFrame): void;
  payload(payload: InboundPayload): void;
  event(event: GatewayEvent): void;
  /** The Gateway has accepted a connection. Events from then on are not repeats of earlier ones. */
  begin(gateway: string): void;
  close(): void;
}

export function createPipeline(options: PipelineOptions): Pipeline {
  const { clock, report, dedupWindowMs, maxDedupKeys, maxFrameBytes, route, onOther } = options;
  const frames$ = new Subject<InboundFrame>();
  const payloads$ = new Subject<InboundPayload>();
  const recovered$ = new Subject<HeardEvent>();
  const eventKey = createEventKey();
  const drift = new DriftWatch(report);

  // An error inside an operator would end the stream. So nothing here may throw.

  /**
   * The chat event of a frame. Undefined for any other frame: another event is passed to `onOther`, and what cannot be
   * read is reported.
   */
  function readChatFrame({ gateway, owner, data }: InboundFrame): HeardEvent | undefined {
    const frame = readFrame(data, maxFrameBytes);
    if (frame === undefined) return undefined;
    if ("reason" in frame) return void report.rejected({ gateway, ...frame });
    const { event, payload } = frame;
    drift.look(gateway, event, payload);
    if (event === "chat") return readChat(gateway, owner, payload);
    try {
      onOther(owner === undefined ? { gateway, event, payload } : { gateway, owner, event, payload });
    } catch {
      // An object that a host parsed may have getters that throw.
      report.rejected({ gateway, reason: "not-a-frame" });
    }
    return undefined;
  }

  /** Undefined when the payload lacks a required field, which is reported. */
  function readChat(gateway: string, owner: string | undefined, payload: unknown): HeardEvent | undefined {
    const event = readChatEvent(payload, gateway);
    if (typeof event === "string") return void report.rejected({ gateway, reason: event });
    const at = clock.now();
    return owner === undefined ? { gateway, event, at } : { gateway, owner, event, at };
  }

  const chats$ = frames$.pipe(map(readChatFrame));
  const handed$ = payloads$.pipe(map(({ gateway, owner, payload }) => readChat(gateway, owner, payload)));
  const subscription = merge(chats$, handed$, recovered$)
    .pipe(
      filter(isThere),
      distinctWithin<HeardEvent>({
        group: ({ event }) => event.runId,
        key: eventKey,
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
      frames$.next(frame);
    },
    payload: (payload) => payloads$.next(payload),
    event: (event) => recovered$.next({ ...event, at: clock.now() }),
    begin: (gateway) => eventKey.begin(gateway),
    close: () => subscription.unsubscribe(),
  };
}

function isThere<T>(value: T | undefined): value is T {
  return value !== undefined;
}
