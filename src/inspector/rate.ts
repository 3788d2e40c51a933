/** How fast a rate forgets, in ms: what is older counts for less than a third. */
const MEMORY_MS = 2_000;

/** How often something happens per second, lately. Holds two numbers. */
export class Rate {
  private perSecond = 0;
  private at: number;

  constructor(now: number) {
    this.at = now;
  }

  /** It happened. */
  note(now: number): void {
    this.perSecond = this.read(now) + 1_000 / MEMORY_MS;
    this.at = now;
  }

  read(now: number): number {
    return this.perSecond * Math.exp((this.at - now) / MEMORY_MS);
  }
}
