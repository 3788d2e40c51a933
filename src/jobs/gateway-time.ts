import type { Clock } from "../kit/clock.ts";
import { isTime } from "../protocol/fields.ts";

/** A clock of the Gateway's that goes back by more has been set back. */
const TOLERANCE_MS = 30_000;

/**
 * What the Gateway's clock reads, and time that only passes. Of the host's clock only what has passed since the last
 * look is believed, and of that no more than `longestMs`: it may be set, and a process may be stopped.
 */
export class GatewayTime {
  private readonly clock: Pick<Clock, "now">;
  private readonly longestMs: number;
  private passed = 0;
  private lookedAt: number;
  /** What the Gateway's clock reads less `passed`; the host's until the Gateway has told of its own. */
  private offset: number;
  private isTold = false;
  private back = 0;

  /** `longestMs`: between two looks. */
  constructor(clock: Pick<Clock, "now">, longestMs: number) {
    this.clock = clock;
    this.longestMs = longestMs;
    this.lookedAt = clock.now();
    this.offset = this.lookedAt;
  }

  /** Ms that have passed since the beginning. */
  elapsed(): number {
    const now = this.clock.now();
    this.passed += Math.min(Math.max(0, now - this.lookedAt), this.longestMs);
    this.lookedAt = now;
    return this.passed;
  }

  /** What the Gateway's clock reads now, in ms since the epoch. */
  now(): number {
    return this.offset + this.elapsed();
  }

  /** By how much the Gateway's clock has been set back until now, all in all. */
  get setBackMs(): number {
    return this.back;
  }

  /** The Gateway's clock reads `ts`. */
  hear(ts: unknown): void {
    if (!isTime(ts)) return;
    const expected = this.now();
    if (this.isTold && ts < expected - TOLERANCE_MS) this.back += expected - ts;
    this.isTold = true;
    this.offset = ts - this.passed;
  }
}
