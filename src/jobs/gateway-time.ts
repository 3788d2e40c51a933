import type { Clock } from "../kit/clock.ts";
import { isTime } from "../protocol/fields.ts";

/** The Gateway's clock was set back when it goes back by more than this, in ms. */
const TOLERANCE_MS = 30_000;

/**
 * The time of the Gateway's clock, and time that only passes. From the host's clock only the time since the last check
 * is used, because the clock may be set. At most `longestMs` of it counts, because the process may be stopped.
 */
export class GatewayTime {
  private readonly clock: Pick<Clock, "now">;
  private readonly longestMs: number;
  private passed = 0;
  private lookedAt: number;
  /** The Gateway's clock minus `passed`. Until the Gateway has sent its time, it is the host's clock. */
  private offset: number;
  private isTold = false;
  private back = 0;

  /** `longestMs`: the most that counts between two checks. */
  constructor(clock: Pick<Clock, "now">, longestMs: number) {
    this.clock = clock;
    this.longestMs = longestMs;
    this.lookedAt = clock.now();
    this.offset = this.lookedAt;
  }

  /** Ms since the start. */
  elapsed(): number {
    const now = this.clock.now();
    this.passed += Math.min(Math.max(0, now - this.lookedAt), this.longestMs);
    this.lookedAt = now;
    return this.passed;
  }

  /** The current time of the Gateway's clock, in ms since the epoch. */
  now(): number {
    return this.offset + this.elapsed();
  }

  /** How far the Gateway's clock was set back until now, in all. */
  get setBackMs(): number {
    return this.back;
  }

  /** The Gateway's clock is at `ts`. */
  hear(ts: unknown): void {
    if (!isTime(ts)) return;
    const expected = this.now();
    if (this.isTold && ts < expected - TOLERANCE_MS) this.back += expected - ts;
    this.isTold = true;
    this.offset = ts - this.passed;
  }
}
