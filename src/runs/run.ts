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
  /** The text takes no more bytes of UTF-8. */
  private mostBytes = 0;
  readonly number: number;
  readonly startedAt: number;
  readonly late: boolean;
  recovered = false;
  origin: Origin;
  agentId: string | undefined;
  /** Of a late run: what its deltas had said. */
  lateText = "";
  /** The `seq` of its last delta. */
  seq = Number.NEGATIVE_INFINITY;
  /** The connection is new: its next delta may be the first of a second life. */
  mayBeginAgain = false;

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

  /**
   * Notes how long the text is now. Says whether it is longer than `maxBytes` of UTF-8, which is rarely counted: it
   * would cost as much as the text is long, and is called for each delta. `isNew`: it is not the text before with more
   * added.
   */
  grow(text: string, isNew: boolean, maxBytes: number): boolean {
    const grown = text.length - this.chars;
    this.chars = text.length;
    // A character takes up at most three bytes.
    this.mostBytes = isNew || grown < 0 ? text.length * 3 : this.mostBytes + grown * 3;
    if (this.mostBytes <= maxBytes) return false;
    this.mostBytes = Buffer.byteLength(text);
    return this.mostBytes > maxBytes;
  }

  /**
   * Notes the `seq` of a delta. Says whether the run has begun again: on a new connection it is not above the last one,
   * since the Gateway was started anew.
   */
  hasBegunAgain(seq: number | undefined): boolean {
    if (seq === undefined) return false;
    const begunAgain = this.mayBeginAgain && seq <= this.seq;
    this.mayBeginAgain = false;
    this.seq = seq;
    return begunAgain;
  }

  /** That somebody asked is a guess beside what a key, a prompt or a heartbeat proves. */
  learnOrigin(origin: Origin): void {
    if (origin !== "requested" || this.origin === "unknown") this.origin = origin;
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
    this.lateText = "";
  }
}

const noReader = new TextReader();
