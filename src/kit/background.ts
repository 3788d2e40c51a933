import { Queue } from "./queue.ts";

/** How long work may keep the event loop in one turn, in ms. All work of the process shares this time. */
const SLICE_MS = 20;

/**
 * The turns of the event loop, shared by all work of this process. Work on a list asks `isOver` after each item; when
 * it is true, it waits for `next()`.
 */
export class LoopTurns {
  private begunAt: number | undefined;
  private isPlanned = false;
  private readonly waiting = new Queue<() => void>();

  /** Whether the time for work in this turn is used up. The time starts at the first question in a turn. */
  get isOver(): boolean {
    if (this.begunAt === undefined) {
      this.begunAt = performance.now();
      this.plan();
    }
    return performance.now() - this.begunAt >= SLICE_MS;
  }

  /** Resolves in a later turn. Each caller that waits gets its own turn, in the order of the calls. */
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

export const loopTurns = new LoopTurns();

/**
 * Calls `work` with each item in turn and lets the event loop run in between. Timers and sockets then never wait long
 * for a list. Items and `work` may be synchronous or not; nothing is called before this function returns. When `work`
 * throws or rejects, the rest is left out and the error passes through.
 *
 * Resolves to true when every item was worked on, and to false when `signal` was aborted before.
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
