import type { RunContext } from "../../machines/run.ts";
import { TextReader } from "../protocol/text.ts";
import type { Job, LiveRun, Origin, RunProgress } from "../types.ts";
import { noActor, type RunActor } from "./run-actors.ts";

/**
 * A run in `buffering`: its actor, and what the supervisor knows about it. What a delta needs comes first: among many
 * runs, each further cache line costs time.
 */
export class Run implements RunProgress {
  actor: RunActor;
  reader = new TextReader();
  chars = 0;
  deltas = 0;
  /** An upper bound of the text's size, in bytes of UTF-8. */
  private mostBytes = 0;
  /** The `seq` of its last delta. */
  private seq = -1;
  /** The connection is new: the next delta may show that the Gateway started the run again. */
  mayBeginAgain = false;
  agentId: string | undefined;
  /** Identifies the run among all Gateways. */
  readonly key: string;
  readonly number: number;
  readonly startedAt: number;
  readonly late: boolean;
  recovered = false;
  origin: Origin;
  /** Its cron job, if it has one. */
  job: Job | undefined;
  /** What the deltas had said before the run became late. */
  lateText = "";

  constructor(actor: RunActor, key: string, number: number, startedAt: number, late: boolean, origin: Origin) {
    this.actor = actor;
    this.key = key;
    this.number = number;
    this.startedAt = startedAt;
    this.late = late;
    this.origin = origin;
  }

  get context(): RunContext {
    return this.actor.getSnapshot().context;
  }

  /**
   * Records the text's length. Returns whether the text is longer than `maxBytes` of UTF-8. Called for each delta, so
   * bytes are counted only near the limit. `isNew`: the text is not the old text with something appended.
   */
  grow(text: string, isNew: boolean, maxBytes: number): boolean {
    const grown = text.length - this.chars;
    this.chars = text.length;
    // A UTF-16 code unit takes at most three bytes in UTF-8.
    this.mostBytes = isNew || grown < 0 ? text.length * 3 : this.mostBytes + grown * 3;
    if (this.mostBytes <= maxBytes) return false;
    this.mostBytes = Buffer.byteLength(text);
    return this.mostBytes > maxBytes;
  }

  /**
   * Records the `seq` of a delta. Returns whether the run has started again: after a Gateway restart, `seq` on the new
   * connection is not above the last one.
   */
  hasBegunAgain(seq: number | undefined): boolean {
    if (seq === undefined) return false;
    const begunAgain = this.mayBeginAgain && seq <= this.seq;
    this.mayBeginAgain = false;
    this.seq = seq;
    return begunAgain;
  }

  /**
   * Records where the run comes from. `"requested"` is only a guess. A key, a prompt or a heartbeat proves the origin
   * and wins.
   */
  learn({ origin = "unknown", job }: { readonly origin?: Origin; readonly job?: Job | undefined }): void {
    if (this.origin === "unknown" || (origin !== "unknown" && origin !== "requested")) this.origin = origin;
    if (job !== undefined) this.job = job;
  }

  /** The run as a host sees it. */
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
   * Frees everything large. V8 keeps entries deleted from a busy map reachable until the next full collection. With an
   * actor of 2 kB on each run, short runs would take twice the memory.
   */
  retire(): void {
    this.actor = noActor;
    this.reader = noReader;
    this.lateText = "";
  }
}

const noReader = new TextReader();
