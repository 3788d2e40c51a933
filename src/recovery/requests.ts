import { InboxError, isInboxError } from "../errors.ts";
import type { Clock } from "../kit/clock.ts";
import { deadline, orAborted } from "../kit/deadline.ts";
import { Queue } from "../kit/queue.ts";
import { pause } from "../kit/timer.ts";
import type { Report } from "../report/report.ts";
import type { GatewayRequest } from "../source/source.ts";

/** What {@link Requests} need. */
export interface RequestsOptions {
  readonly gateway: string;
  readonly request: GatewayRequest;
  readonly clock: Clock;
  readonly report: Pick<Report, "requested" | "requestFailed">;
}

interface Task {
  readonly method: string;
  readonly params: object;
  readonly urgent: boolean;
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: unknown) => void;
  attempts: number;
}

/** The most requests in progress. More are not faster, and a Gateway refuses more than 256. */
const CONCURRENCY = 8;
/** The most requests that wait for their turn. Only a flood of new sessions reaches this limit. */
const MAX_WAITING = 20_000;
const MAX_ATTEMPTS = 3;
const FIRST_DELAY_MS = 250;
const LONGEST_DELAY_MS = 10_000;
/** How long one attempt may take, in ms. A Gateway answers in milliseconds, or it is stuck. */
const TIMEOUT_MS = 20_000;

/**
 * Sends requests to one Gateway: a few at once, and urgent ones first. Each is repeated twice when the Gateway is busy
 * or does not answer. All of them end with the connection.
 */
export class Requests {
  private readonly options: RequestsOptions;
  private readonly urgent = new Queue<Task>();
  private readonly others = new Queue<Task>();
  /** One for each connection: from a hello, or the last `cancel`, to the next. */
  private connection = new AbortController();
  private underway = 0;
  /**
   * Methods that failed over this connection. Further failures are not warnings, because a Gateway without a method
   * would fill the log.
   */
  private readonly failed = new Set<string>();

  constructor(options: RequestsOptions) {
    this.options = options;
  }

  /**
   * Resolves with the Gateway's answer, unchecked. Rejects with an `InboxError` when the request is given up or
   * cancelled.
   */
  ask(method: string, params: object, { urgent = false } = {}): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const task = { method, params, urgent, resolve, reject, attempts: 0 };
      if (this.urgent.size + this.others.size >= MAX_WAITING) this.giveUp(task, this.tooMany(method));
      else this.enqueue(task);
    });
  }

  /** Gives up every request, because the connection is lost. */
  cancel(): void {
    const { connection } = this;
    this.connection = new AbortController();
    this.failed.clear();
    connection.abort();
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
      this.underway += 1;
      void this.attempt(task, this.connection.signal);
    }
  }

  private async attempt(task: Task, connection: AbortSignal): Promise<void> {
    task.attempts += 1;
    try {
      task.resolve(await this.send(task, connection));
    } catch (error) {
      // The source may know that the connection is lost before we are told.
      if (connection.aborted || isInboxError(error, "ERR_INBOX_NO_LINK")) task.reject(this.cancelled(task));
      else void this.retry(task, error, connection);
    } finally {
      this.underway -= 1;
      this.fill();
    }
  }

  private async retry(task: Task, error: unknown, connection: AbortSignal): Promise<void> {
    const delayMs = task.attempts < MAX_ATTEMPTS ? retryDelayMs(error, task.attempts) : undefined;
    if (delayMs === undefined) return this.giveUp(task, error);
    await pause(this.options.clock, delayMs, connection);
    if (connection.aborted) task.reject(this.cancelled(task));
    else this.enqueue(task);
  }

  private async send({ method, params }: Task, connection: AbortSignal): Promise<unknown> {
    const { clock, request, gateway, report } = this.options;
    report.requested();
    const words = `The Gateway "${gateway}" did not answer ${method} within ${TIMEOUT_MS} ms.`;
    const reason = () => new InboxError("ERR_INBOX_REQUEST", words, { method, gateway, timeoutMs: TIMEOUT_MS });
    const limit = deadline({ clock, ms: TIMEOUT_MS, reason, signal: connection });
    try {
      // A source that ignores the signal must not take a slot for ever.
      return await orAborted(request(method, params, { signal: limit.signal }), limit.signal);
    } finally {
      limit.release();
    }
  }

  private giveUp({ method, params, reject }: Task, error: unknown): void {
    this.options.report.requestFailed(this.options.gateway, method, params, error, this.failed.has(method));
    this.failed.add(method);
    reject(error);
  }

  private tooMany(method: string): InboxError {
    const { gateway } = this.options;
    const words = `More than ${MAX_WAITING} requests to the Gateway "${gateway}" wait: ${method} was not sent.`;
    return new InboxError("ERR_INBOX_REQUEST", words, { method, gateway });
  }

  private cancelled({ method }: Task): InboxError {
    const { gateway } = this.options;
    const words = `The connection ended before ${method} was answered.`;
    return new InboxError("ERR_INBOX_NO_LINK", words, { method, gateway });
  }
}

/** How long to wait before the next try; undefined when another try would not help. */
function retryDelayMs(error: unknown, attempts: number): number | undefined {
  if (!isInboxError(error, "ERR_INBOX_REQUEST")) return undefined;
  const { retryable, retryAfterMs, timeoutMs } = error.details;
  if (retryable !== true && timeoutMs === undefined) return undefined;
  const asked =
    typeof retryAfterMs === "number" && retryAfterMs >= 0 ? retryAfterMs : FIRST_DELAY_MS * 2 ** (attempts - 1);
  return Math.min(asked, LONGEST_DELAY_MS);
}
