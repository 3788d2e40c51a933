/** Actors that come and go in a minute; those beyond are left out until the next. */
const MINUTE_MS = 60_000;

/** How many actors are shown to Stately. */
export interface SampleLimits {
  /** At once. */
  readonly maxActors: number;
  readonly maxNewPerMinute: number;
}

/** Chooses which actors are followed: the first that fit, each from its beginning to its end. */
export class StatelySample {
  private readonly limits: SampleLimits;
  private readonly followed = new Set<string>();
  private minute = 0;
  private newInMinute = 0;

  constructor(limits: SampleLimits) {
    this.limits = limits;
  }

  follows(sessionId: string): boolean {
    return this.followed.has(sessionId);
  }

  /** Whether a new actor is followed from now on. `always`: it counts for nothing. */
  begin(sessionId: string, always: boolean, now: number): boolean {
    const minute = Math.floor(now / MINUTE_MS);
    if (minute !== this.minute) this.newInMinute = 0;
    this.minute = minute;
    const { maxActors, maxNewPerMinute } = this.limits;
    if (!always && (this.followed.size >= maxActors || this.newInMinute >= maxNewPerMinute)) return false;
    if (!always) this.newInMinute += 1;
    this.followed.add(sessionId);
    return true;
  }

  end(sessionId: string): void {
    this.followed.delete(sessionId);
  }
}
