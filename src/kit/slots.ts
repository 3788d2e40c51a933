import { Queue } from "./queue.ts";

/**
 * Limits how much work goes on at once. When every slot is taken, callers wait and get one in the order of their calls.
 */
export class Slots {
  private free: number;
  private readonly waiting = new Queue<() => void>();

  constructor(count: number) {
    this.free = count;
  }

  /** Runs `work` in a slot. Settles as `work` does. */
  async use<T>(work: () => Promise<T>): Promise<T> {
    if (this.free > 0) this.free -= 1;
    else await new Promise<void>((resolve) => this.waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.waiting.shift();
      if (next === undefined) this.free += 1;
      else next();
    }
  }
}
