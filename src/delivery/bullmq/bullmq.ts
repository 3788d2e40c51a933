import { assertKnownKeys, errorText, InboxError, optionError } from "../../errors.ts";
import { MAX_DELAY_MS } from "../../kit/clock.ts";
import { orAborted } from "../../kit/deadline.ts";
import type { ProactiveMessage } from "../../types.ts";
import type { Deliver } from "../deliver.ts";
import { assertRetention, type RetentionOptions, retentionSeconds } from "./retention.ts";

/** What {@link bullmq} needs of a BullMQ `Queue`; any `Queue` fits. The caller makes and closes it. */
interface BullMqQueue<Data = unknown> {
  readonly name: string;
  readonly defaultJobOptions?: object;
  add(name: string, data: Data, options: object): Promise<unknown>;
}

/** Options of every job that {@link bullmq} adds; BullMQ's `JobsOptions` fits, but for what would make a job be forgotten or confused. */
interface BullMqJobOptions extends RetentionOptions {
  /** How often BullMQ tries the job in all. Its default is 1: set it, the inbox does not try again what a worker failed at. */
  readonly attempts?: number;
  readonly backoff?: number | { readonly type: string; readonly delay?: number; readonly jitter?: number };
  /** In ms. */
  readonly delay?: number;
  readonly priority?: number;
  readonly lifo?: boolean;
  readonly keepLogs?: number;
  readonly stackTraceLimit?: number;
}

/** How {@link bullmq} hands messages over. */
export interface BullMqOptions<Data = unknown> {
  /**
   * The name of the jobs. No part of their ids: a message is one job of a queue, whatever its name.
   *
   * @default "proactive"
   */
  readonly jobName?: string;
  /**
   * The job's data, made from the message; `collavreJob` is one such function. It must be JSON: put
   * `message.id` into it when the worker is to be idempotent. Default: the message itself.
   */
  readonly job?: (message: ProactiveMessage) => Data;
  /**
   * Options of every job. Where neither they nor the queue's `defaultJobOptions` say for how long
   * finished jobs are kept, it is for `retainMs`.
   */
  readonly jobOptions?: BullMqJobOptions;
  /**
   * How long a finished job must stay in Redis at least, in ms, from 1 to 2,147,483,647: the time
   * in which the same message from another host, or from a ledger that was lost, is still known. No
   * less than the ledgers' `retainMs`.
   *
   * @default 86_400_000
   */
  readonly retainMs?: number;
}

const KNOWN = ["jobName", "job", "jobOptions", "retainMs"];

/** They would replace our job id, or let BullMQ drop a message as a repeat of another. */
const REFUSED_JOB_OPTIONS = ["jobId", "deduplication", "debounce", "repeat", "parent"];

/**
 * A handler that adds each message to a BullMQ queue, once for all hosts: the job's id comes from `message.id`, and
 * BullMQ ignores an id that it still holds, whether the job is waiting, active, completed or failed. A message is
 * delivered when Redis holds the job. BullMQ retries what a worker fails at.
 *
 * Jobs are added in the order of their session. A worker with `concurrency` above 1, several workers, and retries lose
 * that order; docs/api.md shows how to keep it.
 *
 * Finished jobs are kept for `retainMs`. A worker cannot shorten that, since a job's own options win over the worker's.
 * But when *any* job of a queue finishes, BullMQ applies that job's limits to all finished ones: a job of another
 * producer with `{ count: 100 }`, or one without limits under a worker that has them, evicts ours. So give the inbox a
 * queue of its own. The queue's `defaultJobOptions` are checked like `jobOptions` for that reason. `clean()`,
 * `obliterate()`, `job.remove()`, and a Redis whose `maxmemory-policy` is not `noeviction` make it forget, too.
 *
 * Aborting the signal ends the wait, not the command: the job may still be added, and the next attempt finds it there.
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
      // No cause: Redis clients attach the failed command to the error, and with it the text.
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

/** BullMQ refuses whole numbers, a leading `0:` and most ids with a colon; ids of this package pass through as they are. */
function jobIdOf(id: string): string {
  return `openclaw-${encodeURIComponent(id)}`;
}
