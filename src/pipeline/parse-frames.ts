import { Observable, type OperatorFunction } from "rxjs";
import { type BadFrame, type EventFrame, readFrame } from "../protocol/frame.ts";

/** A frame as it came, with the connection it came over. */
export interface InboundFrame {
  readonly gateway: string;
  readonly owner?: string;
  readonly data: unknown;
}

/** An event frame, with the connection it came over. */
export interface InboundEvent extends EventFrame {
  readonly gateway: string;
  readonly owner?: string;
}

/** Frames to event frames. Answers to requests are left out; what cannot be read is reported. */
export function parseFrames(options: {
  /** The largest frame that is parsed, in bytes. */
  readonly maxFrameBytes: number;
  readonly onReject: (gateway: string, bad: BadFrame) => void;
}): OperatorFunction<InboundFrame, InboundEvent> {
  return (frames$) =>
    new Observable((subscriber) =>
      frames$.subscribe({
        next({ gateway, owner, data }) {
          const frame = readFrame(data, options.maxFrameBytes);
          if (frame === undefined) return;
          if ("reason" in frame) options.onReject(gateway, frame);
          else
            subscriber.next({
              gateway,
              ...(owner !== undefined && { owner }),
              event: frame.event,
              payload: frame.payload,
            });
        },
        error: (error) => subscriber.error(error),
        complete: () => subscriber.complete(),
      }),
    );
}
