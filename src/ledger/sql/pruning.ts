import type { Clock } from "../../kit/clock.ts";
import { startTimer, type Timer } from "../../kit/timer.ts";

const EVERY_MS = 60_000;
/** Deleted in one transaction. Other writers wait for it, so it is kept short. */
const STEP = 500;

export interface PruningOptions {
  readonly clock: Clock;
  readonly retainMs: number;
  readonly retainDeadMs: number;
  /** Forgets at most `limit` messages that have been in this state since before `before`, the oldest first. How many those were; 0 also where it failed. */
  readonly forget: (state: "delivered" | "dead", before: number, limit: number) => Promise<number>;
  /** Forgets what else is old. */
  readonly forgetRest: (now: number) => Promise<void>;
}

/** Forgets what is old, each minute, in small steps. */
export class Pruning {
  private readonly options: PruningOptions;
  private timer: Timer | undefined;
  private running: Promise<void> | undefined;
  private isWanted = false;
  private isOver = false;

  constructor(options: PruningOptions) {
    this.options = options;
    this.wait();
  }

  /** Resolves when none is under way. Does not reject: what fails is told by whoever writes next, or tried again. */
  async settled(): Promise<void> {
    await this.running;
  }

  stop(): void {
    this.isOver = true;
    this.timer?.cancel();
  }

  private wait(): void {
    this.timer = startTimer(this.options.clock, EVERY_MS, () => {
      this.wait();
      // One at a time; asked again meanwhile, it looks once more, since time has passed.
      this.isWanted = true;
      this.running ??= this.run()
        .catch(() => {})
        .finally(() => {
          this.running = undefined;
        });
    });
  }

  private async run(): Promise<void> {
    while (this.isWanted && !this.isOver) {
      this.isWanted = false;
      await this.once();
    }
  }

  private async once(): Promise<void> {
    const { clock, retainMs, retainDeadMs, forget, forgetRest } = this.options;
    const now = clock.now();
    for (const [state, ms] of [
      ["delivered", retainMs],
      ["dead", retainDeadMs],
    ] as const)
      while (!this.isOver && (await forget(state, now - ms, STEP)) === STEP);
    if (!this.isOver) await forgetRest(now);
  }
}
