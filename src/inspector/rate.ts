/** The time over which a rate is taken, in ms. */
const WINDOW_MS = 2_000;

/** How often something happens per second, lately: over the current window and the one before. */
export class Rate {
  private window = 0;
  private current = 0;
  private before = 0;

  /** It happened. */
  note(now: number): void {
    this.turn(now);
    this.current += 1;
  }

  read(now: number): number {
    this.turn(now);
    const partOfWindow = (now % WINDOW_MS) / WINDOW_MS;
    // As much of the window before as the current one has not reached yet.
    return ((this.before * (1 - partOfWindow) + this.current) * 1_000) / WINDOW_MS;
  }

  private turn(now: number): void {
    const window = Math.floor(now / WINDOW_MS);
    if (window === this.window) return;
    this.before = window === this.window + 1 ? this.current : 0;
    this.current = 0;
    this.window = window;
  }
}
