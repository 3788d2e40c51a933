import { Queue } from "./queue.ts";

/** How long work may keep the event loop for itself, in ms. Others share each turn, so this is well below 50. */
const SLICE_MS = 20;

/**
 * The turns of the event loop, which all work of this process shares. Whoever works off a list asks `isOver`
 * after each item, and waits for `next()` when it is.
 */
export class LoopTurns {
  private begunAt: number | undefined;
  private isPlanned = false;
  private readonly waiting = new Queue<() => void>();

  /** Whether work has had its time in this turn. The time runs from the first question in a turn. */
  get isOver(): boolean {
    if (this.begunAt === undefined) {
      this.begunAt = performance.now();
      this.plan();
    }
    return performance.now() - this.begunAt >= SLICE_MS;
  }

  /** Resolves in a later turn. Of many who wait, each gets a turn for itself, in the order of asking. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      this.waiting.push(resolve);
      this.plan();
    });
  }

  private plan(): void {
    if (this.isPlanned) return;
    this.isPlanned = true;
    setImmediate(() => {
      this.isPlanned = false;
      this.begunAt = undefined;
      const resume = this.waiting.shift();
      if (this.waiting.size > 0) this.plan();
      resume?.();
    });
  }
}

/** The turns of this process's event loop. */
export const loopTurns = new LoopTurns();

/**
 * Calls `work` with each item, one after the other, and lets the event loop turn in between, so that timers and
 * sockets never wait long for a list. Items and `work` may be synchronous or not; nothing is called before this
 * returns. What `work` throws or rejects with ends it and passes through.
 *
 * Says whether all were worked off: false when `signal` was aborted before.
 *
 * @example
 * const all = await inSlices(await ledger.claim(), (entry) => deliver(entry), { signal });
 */
export async function inSlices<T>(
  items: Iterable<T> | AsyncIterable<T>,
  work: (item: T) => unknown,
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<boolean> {
  for await (const item of items) {
    if (signal?.aborted === true) return false;
    await work(item);
    if (loopTurns.isOver) await loopTurns.next();
  }
  return true;
}
