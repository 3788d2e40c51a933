import type { RunContext } from "../../machines/run.ts";
import { TextReader } from "../protocol/text.ts";
import type { LiveRun, Origin, RunProgress } from "../types.ts";
import { noActor, type RunActor } from "./run-actors.ts";

/** A run in `buffering`: its actor, and what the supervisor knows beside it. */
export class Run implements RunProgress {
  actor: RunActor;
  reader = new TextReader();
  chars = 0;
  deltas = 0;
  readonly number: number;
  readonly startedAt: number;
  readonly late: boolean;
  recovered = false;
  origin: Origin;

  constructor(actor: RunActor, number: number, startedAt: number, late: boolean, origin: Origin) {
    this.actor = actor;
    this.number = number;
    this.startedAt = startedAt;
    this.late = late;
    this.origin = origin;
  }

  get context(): RunContext {
    return this.actor.getSnapshot().context;
  }

  /** As a host sees it, now. */
  view(): LiveRun {
    const { runId, gateway, owner, sessionKey, text, startedAt, ttlMs } = this.context;
    return {
      runId,
      gateway,
      ...(owner !== undefined && { owner }),
      ...(sessionKey !== undefined && { sessionKey }),
      text,
      startedAt,
      expiresAt: startedAt + ttlMs,
    };
  }

  live(): LiveRun | undefined {
    return this.actor === noActor ? undefined : this.view();
  }

  /**
   * Lets go of all that is large. V8 keeps what was deleted from a busy map reachable until the next full
   * collection; with an actor of 2 kB on each run, that would double the cost of short ones.
   */
  retire(): void {
    this.actor = noActor;
    this.reader = noReader;
  }
}

const noReader = new TextReader();
