import { createActor, type InspectionEvent } from "xstate";
import { type LinkEvent, linkMachine } from "../../machines/link.ts";
import type { Clock } from "../kit/clock.ts";
import type { Source } from "./source.ts";

/** Where a link stands. */
export type LinkState = "offline" | "connecting" | "recovering" | "live" | "paused";

/** The connection to one Gateway, as a host sees it. */
export interface LinkStatus {
  readonly gateway: string;
  readonly owner?: string;
  readonly state: LinkState;
  /** When `state` was reached, in ms since the epoch. */
  readonly since: number;
  /** Why it is offline or paused: a plain sentence, and for `paused` what to do about it. */
  readonly reason?: string;
  /** Nothing more will come from this source: it was closed, or its recording is over. */
  readonly ended: boolean;
}

export interface LinkOptions {
  readonly clock: Clock;
  readonly inspect?: ((event: InspectionEvent) => void) | undefined;
  /** Told of every change of state. */
  readonly onChange: (status: LinkStatus) => void;
}

/** Keeps the link actor of one source. */
export class Link {
  readonly source: Source;
  /** Resolves when the link is first live, or has been told why not. */
  readonly settled: Promise<void>;
  private readonly actor;
  private since: number;

  constructor(source: Source, { clock, inspect, onChange }: LinkOptions) {
    this.source = source;
    this.since = clock.now();
    this.actor = createActor(linkMachine, { clock, input: { gateway: source.name }, ...(inspect && { inspect }) });
    let settle = () => {};
    this.settled = new Promise((resolve) => {
      settle = resolve;
    });
    let { state, reason } = this.status;
    this.actor.subscribe(() => {
      const status = this.status;
      if (status.state !== state) this.since = clock.now();
      else if (status.reason === reason) return;
      ({ state, reason } = status);
      onChange(this.status);
      if (state === "live" || state === "paused" || reason !== undefined) settle();
    });
    this.actor.start();
  }

  get status(): LinkStatus {
    const { name, owner } = this.source;
    const { value, context } = this.actor.getSnapshot();
    return {
      gateway: name,
      ...(owner !== undefined && { owner }),
      state: value,
      since: this.since,
      ...(context.reason !== undefined && { reason: context.reason }),
      ended: context.ended,
    };
  }

  send(event: LinkEvent): void {
    this.actor.send(event);
  }

  /** Lets go of the source and of the actor. */
  async close(): Promise<void> {
    await this.source.close();
    if (!this.status.ended) this.actor.send({ type: "ended", reason: "The inbox was stopped." });
    this.actor.stop();
  }
}
