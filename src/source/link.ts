import { createActor, type InspectionEvent } from "xstate";
import { type LinkEvent, linkMachine } from "../../machines/link.ts";
import { errorText, InboxError } from "../errors.ts";
import type { Clock } from "../kit/clock.ts";
import { within } from "../kit/deadline.ts";
import type { Report } from "../report/report.ts";
import type { LinkStatus } from "../types.ts";
import type { Source, SourceListener } from "./source.ts";

export interface LinkOptions {
  readonly clock: Clock;
  readonly inspect?: ((event: InspectionEvent) => void) | undefined;
  readonly report: Pick<Report, "linked" | "hostError" | "requestOverLimit">;
}

/** How long a source may take to close, in ms. A host's own source might never finish. */
const CLOSE_TIMEOUT_MS = 5_000;

/** Runs the link actor of one source. */
export class Link {
  readonly source: Source;
  /** Resolves when the link is live for the first time, or has a reason why not. */
  readonly answered: Promise<void>;
  private readonly actor;
  private readonly options: LinkOptions;
  private since: number;

  constructor(source: Source, options: LinkOptions) {
    const { clock, inspect, report } = options;
    this.source = source;
    this.options = options;
    this.since = clock.now();
    this.actor = createActor(linkMachine, { clock, input: { gateway: source.name }, ...(inspect && { inspect }) });
    let answer = () => {};
    this.answered = new Promise((resolve) => {
      answer = resolve;
    });
    let { state, reason } = this.status;
    this.actor.subscribe(() => {
      const status = this.status;
      if (status.state !== state) this.since = clock.now();
      else if (status.reason === reason) return;
      ({ state, reason } = status);
      report.linked(this.status);
      if (state === "live" || state === "paused" || reason !== undefined) answer();
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

  /** Opens the source. If it throws, the link is refused. */
  open(listener: Required<Pick<SourceListener, "frame" | "link">>): void {
    const { report } = this.options;
    try {
      this.source.open({
        ...listener,
        hostError: (name, error) => report.hostError(name, error),
        overLimit: () => report.requestOverLimit(),
      });
    } catch (error) {
      report.hostError("source.open", error);
      listener.link({ type: "refused", reason: `The source could not be opened: ${errorText(error)}.` });
    }
  }

  /** Closes the source and stops the actor. It waits 5 s at most, and ignores a source that throws. */
  async close(): Promise<void> {
    const { clock, report } = this.options;
    try {
      const inTime = await within(clock, CLOSE_TIMEOUT_MS, Promise.resolve(this.source.close()), true);
      if (!inTime) throw new InboxError("ERR_INBOX_TIMEOUT", `It did not close within ${CLOSE_TIMEOUT_MS} ms.`);
    } catch (error) {
      report.hostError("source.close", error);
    }
    if (!this.status.ended) this.actor.send({ type: "ended", reason: "The inbox was stopped." });
    this.actor.stop();
  }
}
