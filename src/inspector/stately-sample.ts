const MINUTE_MS = 60_000;

/** How many actors are shown in Stately's inspector. */
export interface SampleLimits {
  /** The most at once. */
  readonly maxActors: number;
  readonly maxNewPerMinute: number;
}

/** Chooses which actors are shown: the first ones within the limits, each from its beginning to its end. */
export class StatelySample {
  private readonly limits: SampleLimits;
  private readonly followed = new Set<string>();
  private readonly always = new Set<string>();
  private minute = 0;
  private newInMinute = 0;

  constructor(limits: SampleLimits) {
    this.limits = limits;
  }

  follows(sessionId: string): boolean {
    return this.followed.has(sessionId) || this.always.has(sessionId);
  }

  /** Whether a new actor is shown from now on. `always`: it is shown in any case and does not count. */
  begin(sessionId: string, always: boolean, now: number): boolean {
    const minute = Math.floor(now / MINUTE_MS);
    if (minute !== this.minute) this.newInMinute = 0;
    this.minute = minute;
    const { maxActors, maxNewPerMinute } = this.limits;
    if (always) this.always.add(sessionId);
    else if (this.followed.size < maxActors && this.newInMinute < maxNewPerMinute) {
      this.newInMinute += 1;
      this.followed.add(sessionId);
    }
    return this.follows(sessionId);
  }

  end(sessionId: string): void {
    this.followed.delete(sessionId);
    this.always.delete(sessionId);
  }
}
