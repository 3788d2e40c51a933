/** Adds up the cost of pieces of work. */
export class Stopwatch {
  private cpu = 0;
  private wall = 0;

  /** Runs `work` and adds its cost. */
  async time(work: () => void | Promise<void>): Promise<void> {
    const cpu = process.cpuUsage();
    const wall = performance.now();
    await work();
    this.wall += performance.now() - wall;
    const { user, system } = process.cpuUsage(cpu);
    this.cpu += user + system;
  }

  reset(): void {
    this.cpu = 0;
    this.wall = 0;
  }

  /**
   * The cost per item in microseconds. CPU time is that of the whole process, including the garbage collector's
   * threads.
   */
  per(items: number): Cost {
    return { cpuUs: this.cpu / items, wallUs: (this.wall * 1_000) / items };
  }
}

/** What one item cost, in microseconds. */
export interface Cost {
  readonly cpuUs: number;
  readonly wallUs: number;
}
