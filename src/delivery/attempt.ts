import { InboxError } from "../errors.ts";
import type { Clock } from "../kit/clock.ts";
import { startTimer, type Timer } from "../kit/timer.ts";
import type { ProactiveMessage } from "../types.ts";
import type { Deliver } from "./deliver.ts";
import { type Failure, readFailure } from "./failure.ts";

/** What an {@link Attempt} needs. */
export interface AttemptOptions {
  readonly deliver: Deliver;
  readonly clock: Clock;
  readonly timeoutMs: number;
  /**
   * Called when the attempt is over, with its failure or, when it succeeded, undefined. Called once, and never after
   * `drop`.
   */
  readonly onEnd: (attempt: Attempt, failure: Failure | undefined) => void;
}

/** One call of the handler, which may return at once, later or never. */
export class Attempt {
  readonly message: ProactiveMessage;
  /** Counts from 1. */
  readonly number: number;
  private readonly options: AttemptOptions;
  private readonly control = new AbortController();
  private timer: Timer | undefined;
  private isOver = false;

  constructor(message: ProactiveMessage, number: number, options: AttemptOptions) {
    this.message = message;
    this.number = number;
    this.options = options;
  }

  /** Calls the handler. Never throws. */
  begin(): void {
    let result: unknown;
    try {
      result = this.options.deliver(this.message, { attempt: this.number, signal: this.control.signal });
      if (!isThenable(result)) return this.end(undefined);
      // A thenable of the host may call back twice, or throw. `end` handles only the first call.
      result.then(
        () => this.end(undefined),
        (error: unknown) => this.end(readFailure(error)),
      );
    } catch (error) {
      return this.end(readFailure(error));
    }
    // In the next microtask most handlers without I/O have settled. Those need no timer.
    queueMicrotask(() => this.limitTime());
  }

  /** Aborts the attempt when the inbox stops. Its result is ignored from then on. */
  drop(): void {
    this.finish();
    this.control.abort(new InboxError("ERR_INBOX_STOPPED", "The inbox is stopping"));
  }

  /** Ends the attempt after `timeoutMs`, even when the handler ignores its signal. */
  private limitTime(): void {
    if (this.isOver) return;
    const { clock, timeoutMs } = this.options;
    const late = () => {
      const text = `The handler took longer than \`timeoutMs\` (${timeoutMs})`;
      const error = new InboxError("ERR_INBOX_TIMEOUT", text, { timeoutMs });
      this.control.abort(error);
      this.end(readFailure(error));
    };
    // The process must not end while a handler runs.
    this.timer = startTimer(clock, timeoutMs, late, true);
  }

  private end(failure: Failure | undefined): void {
    if (this.isOver) return;
    this.finish();
    this.options.onEnd(this, failure);
  }

  private finish(): void {
    this.isOver = true;
    this.timer?.cancel();
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    ((typeof value === "object" && value !== null) || typeof value === "function") &&
    typeof (value as { readonly then?: unknown }).then === "function"
  );
}
