import { Queue } from "./queue.ts";

/** A few places for work that must not all go on at once. Whoever finds none free waits, in the order of coming. */
export class Slots {
  private free: number;
  private readonly waiting = new Queue<() => void>();

  constructor(count: number) {
    this.free = count;
  }

  /** Does `work` in a place of its own. Settles as `work` does. */
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
