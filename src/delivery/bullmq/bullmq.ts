import { assertKnownKeys, errorText, InboxError, optionError } from "../../errors.ts";
import { MAX_DELAY_MS } from "../../kit/clock.ts";
import { orAborted } from "../../kit/deadline.ts";
import type { ProactiveMessage } from "../../types.ts";
import type { Deliver } from "../deliver.ts";
import { assertRetention, type RetentionOptions, retentionSeconds } from "./retention.ts";

/** What {@link bullmq} needs of a BullMQ `Queue`. Any `Queue` fits. The caller makes and closes it. */
interface BullMqQueue<Data = unknown> {
  readonly name: string;
  readonly defaultJobOptions?: object;
  add(name: string, data: Data, options: object): Promise<unknown>;
}

/**
 * Options of every job that {@link bullmq} adds. BullMQ's `JobsOptions` fits, except for options that would make BullMQ
 * forget or confuse jobs.
 */
interface BullMqJobOptions extends RetentionOptions {
  /**
   * How often BullMQ tries the job in all. BullMQ's default is 1. The inbox does not retry what a worker fails at, so
   * set it.
   */
  readonly attempts?: number;
  readonly backoff?: number | { readonly type: string; readonly delay?: number; readonly jitter?: number };
  /** In ms. */
  readonly delay?: number;
  readonly priority?: number;
  readonly lifo?: boolean;
  readonly keepLogs?: number;
  readonly stackTraceLimit?: number;
}

/** Options of {@link bullmq}. */
export interface BullMqOptions<Data = unknown> {
  /**
   * The name of the jobs. It is not part of their ids: a message is one job in a queue, whatever the name.
   *
   * @default "proactive"
   */
  readonly jobName?: string;
  /**
   * Makes the job's data from the message; `collavreJob` is such a function. The data must be JSON. Include
   * `message.id` when the worker is to be idempotent. Default: the message itself.
   */
  readonly job?: (message: ProactiveMessage) => Data;
  /**
   * Options of every job. If neither these nor the queue's `defaultJobOptions` say how long finished jobs are kept,
   * they are kept for `retainMs`.
   */
  readonly jobOptions?: BullMqJobOptions;
  /**
   * The shortest time that a finished job stays in Redis, in ms, from 1 to 2,147,483,647. During this time a repeat of
   * the message is recognized: from another host, or after a ledger was lost. Use at least the ledger's `retainMs`.
   *
   * @default 86_400_000
   */
  readonly retainMs?: number;
}

const KNOWN = ["jobName", "job", "jobOptions", "retainMs"];

/** These would replace our job id, or let BullMQ drop a message as a repeat of another. */
const REFUSED_JOB_OPTIONS = ["jobId", "deduplication", "debounce", "repeat", "parent"];

/**
 * A handler that adds each message to a BullMQ queue, once for all hosts. The job's id comes from `message.id`. BullMQ
 * ignores an id that it still holds, whether the job is waiting, active, completed or failed. A message is delivered
 * when Redis holds the job. BullMQ retries what a worker fails at.
 *
 * Jobs are added in the order of their session. A worker with `concurrency` above 1, several workers, and retries lose
 * that order. docs/api.md shows how to keep it.
 *
 * Finished jobs are kept for `retainMs`. A worker cannot shorten that, because a job's own options win. But when *any*
 * job of a queue finishes, BullMQ applies that job's limits to all finished jobs. A job of another producer with
 * `{ count: 100 }` evicts ours. So does a job without limits under a worker that has limits. So use a queue only for
 * the inbox. For the same reason the queue's `defaultJobOptions` are checked like `jobOptions`. Jobs are also lost by
 * `clean()`, `obliterate()`, `job.remove()`, and by a Redis whose `maxmemory-policy` is not `noeviction`.
 *
 * Aborting the signal ends only the wait. The job may still be added, and the next attempt finds it there.
 *
 * @example
 * const queue = new Queue("openclaw", { connection: { host: "redis" } });
 * createInbox({ gateway, deliver: bullmq(queue, { jobOptions: { attempts: 5 } }) });
 *
 * @throws {InboxError} `ERR_INBOX_OPTION` at once when an option is wrong.
 */
export function bullmq<Data = unknown>(queue: BullMqQueue<Data>, options: BullMqOptions<Data> = {}): Deliver {
  assertKnownKeys("bullmq()", options, KNOWN);
  const { jobName = "proactive", job = (message) => message as Data, jobOptions = {}, retainMs = 86_400_000 } = options;
  if (typeof queue?.add !== "function") throw optionError("queue", "a BullMQ Queue", queue);
  if (typeof jobName !== "string" || jobName === "")
    throw optionError("jobName", "a text of at least one character", jobName);
  if (typeof job !== "function") throw optionError("job", "a function", job);
  const everyJob = resolveJobOptions(queue.defaultJobOptions ?? {}, jobOptions, retainMs);

  return async (message, { signal }) => {
    signal.throwIfAborted();
    const jobId = jobIdOf(message.id);
    const data = job(message);
    try {
      await orAborted(queue.add(jobName, data, { ...everyJob, jobId }), signal);
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      // No `cause`: Redis clients attach the failed command, which holds the message text, to the error.
      throw new InboxError("ERR_INBOX_DELIVERY", `Queue \`${queue.name}\` did not take the job: ${errorText(error)}`, {
        queue: queue.name,
        jobId,
      });
    }
  };
}

function resolveJobOptions(
  defaults: RetentionOptions,
  jobOptions: BullMqJobOptions,
  retainMs: number,
): BullMqJobOptions {
  if (!Number.isInteger(retainMs) || retainMs < 1 || retainMs > MAX_DELAY_MS) {
    throw optionError("retainMs", `an integer from 1 to ${MAX_DELAY_MS}`, retainMs);
  }
  for (const [of, given] of Object.entries({ "queue.defaultJobOptions": defaults, jobOptions })) {
    const refused = REFUSED_JOB_OPTIONS.find((name) => (given as Record<string, unknown>)[name] !== undefined);
    if (refused !== undefined) {
      throw new InboxError(
        "ERR_INBOX_OPTION",
        `Expected \`${of}\` to be without \`${refused}\`: one message is one job, named by its id`,
        {
          option: `${of}.${refused}`,
        },
      );
    }
    assertRetention(of, given, retainMs);
  }
  const keep = { age: retentionSeconds(retainMs) };
  return {
    ...jobOptions,
    removeOnComplete: jobOptions.removeOnComplete ?? defaults.removeOnComplete ?? keep,
    removeOnFail: jobOptions.removeOnFail ?? defaults.removeOnFail ?? keep,
  };
}

/** BullMQ refuses whole numbers, a leading `0:` and most ids with a colon. Ids of this package are passed unchanged. */
function jobIdOf(id: string): string {
  return `openclaw-${encodeURIComponent(id)}`;
}
