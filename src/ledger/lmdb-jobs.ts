import type { Clock } from "../kit/clock.ts";

/** The background work of a ledger. Its timers keep no process alive. */
export interface Jobs {
  /** Does `work` every `ms`; turns that fall into the one before become one that follows it. */
  every(ms: number, work: () => Promise<void>): void;
  /** Does `work` once, after `ms`. */
  after(ms: number, work: () => Promise<void>): void;
  /** Counts `work` among what `settled` waits for. */
  run<T>(work: Promise<T>): Promise<T>;
  /** Resolves when no work is under way. */
  settled(): Promise<void>;
  /** Starts nothing more. */
  stop(): void;
}

/** {@link Jobs} on `clock`. Work must not reject, but what is given to `run` may. */
export function createJobs(clock: Clock): Jobs {
  const timers = new Set<unknown>();
  const running = new Set<Promise<unknown>>();
  let stopped = false;

  function run<T>(work: Promise<T>): Promise<T> {
    running.add(work);
    const done = () => running.delete(work);
    work.then(done, done);
    return work;
  }

  function after(ms: number, work: () => Promise<void>): void {
    if (stopped) return;
    const timer = clock.setTimeout(() => {
      timers.delete(timer);
      void run(work());
    }, ms);
    timers.add(timer);
  }

  function every(ms: number, work: () => Promise<void>): void {
    let busy = false;
    let missed = false;
    const turn = async () => {
      after(ms, turn);
      missed = busy;
      if (busy) return;
      busy = true;
      do {
        missed = false;
        await work();
      } while (missed && !stopped);
      busy = false;
    };
    after(ms, turn);
  }

  return {
    every,
    after,
    run,
    async settled() {
      while (running.size > 0) await Promise.allSettled(running);
    },
    stop() {
      stopped = true;
      for (const timer of timers) clock.clearTimeout(timer as never);
      timers.clear();
    },
  };
}
