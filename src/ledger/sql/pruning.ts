import type { Clock } from "../../kit/clock.ts";
import { startTimer, type Timer } from "../../kit/timer.ts";

const EVERY_MS = 60_000;
/** How many rows are deleted in one transaction. Other writers wait for it, so it is kept short. */
const STEP = 500;

export interface PruningOptions {
  readonly clock: Clock;
  readonly retainMs: number;
  readonly retainDeadMs: number;
  /**
   * Deletes at most `limit` messages that have been in this state since before `before`, oldest first. Resolves to how
   * many; to 0 also when it failed.
   */
  readonly forget: (state: "delivered" | "dead", before: number, limit: number) => Promise<number>;
  /** Deletes other old rows. */
  readonly forgetRest: (now: number) => Promise<void>;
}

/** Deletes old rows every minute, in small steps. */
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

  /**
   * Resolves when no pruning is in progress. Does not reject: a failure is reported at the next write, or tried again.
   */
  async idle(): Promise<void> {
    await this.running;
  }

  stop(): void {
    this.isOver = true;
    this.timer?.cancel();
  }

  private wait(): void {
    this.timer = startTimer(this.options.clock, EVERY_MS, () => {
      this.wait();
      // Only one at a time. A call during one makes it look once more, because time has passed.
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
