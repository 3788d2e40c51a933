import { InboxError, isInboxError } from "../errors.ts";
import type { Clock } from "../kit/clock.ts";
import { Queue } from "../kit/queue.ts";
import type { GatewayRequest } from "../source/source.ts";

/** What {@link Requests} need. */
export interface RequestsOptions {
  readonly gateway: string;
  readonly request: GatewayRequest;
  readonly clock: Clock;
  /** Told of each request that is sent, repeats included. */
  readonly onRequest: () => void;
  /** Told of each request that was given up, unless it was cancelled. */
  readonly onFailure: (method: string, params: object, error: unknown) => void;
}

interface Task {
  readonly method: string;
  readonly params: object;
  readonly urgent: boolean;
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: unknown) => void;
  attempts: number;
}

/** One connection: from a hello, or the last cancelling, to the next. */
interface Connection {
  ended: boolean;
  /** Ends what is on its way, or waits to be repeated. */
  readonly cancels: Set<() => void>;
}

/** Requests on their way at once. More is no faster, and from 257 on a Gateway refuses them. */
const CONCURRENCY = 8;
const MAX_ATTEMPTS = 3;
const FIRST_DELAY_MS = 250;
const LONGEST_DELAY_MS = 10_000;
/** How long one attempt may take: a Gateway answers in milliseconds, one that does not is stuck. */
const TIMEOUT_MS = 20_000;

/**
 * Asks one Gateway: a few requests at once, urgent ones first, each repeated a little when the
 * Gateway says it is busy or does not answer.
 */
export class Requests {
  private readonly options: RequestsOptions;
  private readonly urgent = new Queue<Task>();
  private readonly others = new Queue<Task>();
  private connection: Connection = { ended: false, cancels: new Set() };
  private underway = 0;

  constructor(options: RequestsOptions) {
    this.options = options;
  }

  /**
   * Resolves with the Gateway's answer, of which nothing is checked. Rejects with an `InboxError`
   * when it is given up, or was cancelled.
   */
  ask(method: string, params: object, { urgent = false } = {}): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.enqueue({ method, params, urgent, resolve, reject, attempts: 0 });
    });
  }

  /** Gives up everything that waits or is on its way: the connection is gone. */
  cancel(): void {
    const { connection } = this;
    this.connection = { ended: false, cancels: new Set() };
    connection.ended = true;
    for (const cancel of connection.cancels) cancel();
    for (const queue of [this.urgent, this.others]) {
      for (let task = queue.shift(); task !== undefined; task = queue.shift()) task.reject(this.cancelled(task));
    }
  }

  private enqueue(task: Task): void {
    (task.urgent ? this.urgent : this.others).push(task);
    this.fill();
  }

  private fill(): void {
    while (this.underway < CONCURRENCY) {
      const task = this.urgent.shift() ?? this.others.shift();
      if (task === undefined) return;
      void this.attempt(task);
    }
  }

  private async attempt(task: Task): Promise<void> {
    const { connection } = this;
    this.underway += 1;
    task.attempts += 1;
    this.options.onRequest();
    try {
      task.resolve(await this.send(task, connection));
    } catch (error) {
      // The source may know that the connection is gone before we are told.
      if (connection.ended || isInboxError(error, "ERR_INBOX_NO_LINK")) task.reject(this.cancelled(task));
      else this.failed(task, error, connection);
    } finally {
      this.underway -= 1;
      this.fill();
    }
  }

  private async send(task: Task, { cancels }: Connection): Promise<unknown> {
    const { clock, request, gateway } = this.options;
    const { method, params } = task;
    const attempt = new AbortController();
    const { signal } = attempt;
    const ended = new Promise<never>((_, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
    const cancel = () => attempt.abort(this.cancelled(task));
    cancels.add(cancel);
    const timer = clock.setTimeout(() => {
      const words = `The Gateway "${gateway}" did not answer ${method} within ${TIMEOUT_MS} ms.`;
      attempt.abort(new InboxError("ERR_INBOX_REQUEST", words, { method, gateway, timeoutMs: TIMEOUT_MS }));
    }, TIMEOUT_MS);
    try {
      // A source that ignores the signal must not hold a place for ever.
      return await Promise.race([request(method, params, { signal }), ended]);
    } finally {
      clock.clearTimeout(timer as never);
      cancels.delete(cancel);
    }
  }

  private failed(task: Task, error: unknown, { cancels }: Connection): void {
    const delayMs = task.attempts < MAX_ATTEMPTS ? retryDelayMs(error, task.attempts) : undefined;
    if (delayMs === undefined) {
      this.options.onFailure(task.method, task.params, error);
      return task.reject(error);
    }
    const { clock } = this.options;
    const cancel = () => {
      clock.clearTimeout(timer as never);
      task.reject(this.cancelled(task));
    };
    const timer = clock.setTimeout(() => {
      cancels.delete(cancel);
      this.enqueue(task);
    }, delayMs);
    cancels.add(cancel);
  }

  private cancelled({ method }: Task): InboxError {
    const { gateway } = this.options;
    return new InboxError("ERR_INBOX_NO_LINK", `The connection ended before ${method} was answered.`, {
      method,
      gateway,
    });
  }
}

/** How long to wait before asking again; undefined when that would not help. */
function retryDelayMs(error: unknown, attempts: number): number | undefined {
  if (!(error instanceof InboxError) || error.code !== "ERR_INBOX_REQUEST") return undefined;
  const { retryable, retryAfterMs, timeoutMs } = error.details;
  if (retryable !== true && timeoutMs === undefined) return undefined;
  const asked =
    typeof retryAfterMs === "number" && retryAfterMs >= 0 ? retryAfterMs : FIRST_DELAY_MS * 2 ** (attempts - 1);
  return Math.min(asked, LONGEST_DELAY_MS);
}
