import type { RunContext } from "../../machines/run.ts";
import { TextReader } from "../protocol/text.ts";
import type { LiveRun, Origin, ProactiveMessage, RunProgress } from "../types.ts";
import { noActor, type RunActor } from "./run-actors.ts";

/** A run in `buffering`: its actor, and what the supervisor knows beside it. */
export class Run implements RunProgress {
  actor: RunActor;
  reader = new TextReader();
  chars = 0;
  deltas = 0;
  readonly number: number;
  readonly late: boolean;
  recovered = false;
  origin: Origin;
  message: ProactiveMessage | undefined;

  constructor(actor: RunActor, number: number, late: boolean, origin: Origin) {
    this.actor = actor;
    this.number = number;
    this.late = late;
    this.origin = origin;
  }

  get context(): RunContext {
    return this.actor.getSnapshot().context;
  }

  get text(): string {
    return this.context.text;
  }

  get sessionKey(): string | undefined {
    return this.context.sessionKey;
  }

  /** As a host sees it, now. */
  live(): LiveRun {
    const { runId, gateway, owner, sessionKey, text, startedAt } = this.context;
    return {
      runId,
      gateway,
      ...(owner !== undefined && { owner }),
      ...(sessionKey !== undefined && { sessionKey }),
      text,
      startedAt,
    };
  }

  /**
   * Lets go of all that is large. V8 keeps what was deleted from a busy map reachable until the next full
   * collection; with an actor of 2 kB on each run, that would double the cost of short ones.
   */
  retire(): void {
    this.actor = noActor;
    this.reader = noReader;
    this.message = undefined;
  }
}

const noReader = new TextReader();
