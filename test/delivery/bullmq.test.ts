import { randomUUID } from "node:crypto";
import { inspect } from "node:util";
import { type Job, type JobsOptions, Queue, Worker, type WorkerOptions } from "bullmq";
import { Redis } from "ioredis";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { type BullMqOptions, bullmq } from "../../src/delivery/bullmq/bullmq.ts";
import { InboxError, isInboxError } from "../../src/errors.ts";
import type { ProactiveMessage } from "../../src/types.ts";
import { messageOf } from "../helpers/message.ts";
import { startRedis } from "../helpers/redis.ts";

const redis = await startRedis("test/delivery/bullmq.test.ts (HANDING MESSAGES TO BULLMQ)");
afterAll(() => redis?.stop());

const TEXT = "The report is ready: 買い物";
let nextMessage = 0;

function message(text = TEXT): ProactiveMessage {
  nextMessage += 1;
  return messageOf(`Zk3_q-9dTb0x5rYw1LhVnA8uSgEoIcKj${String(nextMessage).padStart(4, "0")}`, {
    text,
    attachments: [{ id: "a1", kind: "image", name: "dot.png", type: "image/png", size: 4 }],
  });
}

const context = (signal = new AbortController().signal) => ({ attempt: 1, signal });

async function failure(promise: unknown): Promise<InboxError> {
  const error = await Promise.resolve(promise).then(
    () => expect.unreachable("the delivery should have failed"),
    (reason: unknown) => reason,
  );
  expect(isInboxError(error)).toBe(true);
  expect(inspect(error, { depth: Infinity, showHidden: true })).not.toContain("The report");
  return error as InboxError;
}

describe.skipIf(redis === undefined)("bullmq", () => {
  const connection = { url: redis?.url as string };
  const closing: (() => Promise<unknown>)[] = [];

  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });

  function openQueue(name: string, defaultJobOptions?: JobsOptions): Queue {
    const queue = new Queue(name, { connection, ...(defaultJobOptions && { defaultJobOptions }) });
    closing.push(() => queue.close());
    return queue;
  }

  /** A queue of one test's own; emptied afterwards, since `REDIS_URL` may outlive the test. */
  function newQueue(defaultJobOptions?: JobsOptions): Queue {
    const queue = openQueue(`openclaw-inbox-test-${randomUUID()}`, defaultJobOptions);
    closing.push(() => queue.obliterate({ force: true }));
    return queue;
  }

  /** Works on a queue in order, one job at a time; `runs` grows by one job id with each run. */
  function startWorker(queue: Queue, options: Partial<WorkerOptions> = {}, work: (job: Job) => void = () => {}) {
    const runs: (string | undefined)[] = [];
    const waiting: { count: number; resolve: () => void }[] = [];
    const worker = new Worker(
      queue.name,
      async (job) => {
        runs.push(job.id);
        work(job);
      },
      { connection, ...options },
    );
    const settle = () => {
      for (const { count, resolve } of waiting) if (runs.length >= count) resolve();
    };
    worker.on("completed", settle);
    worker.on("failed", settle);
    closing.push(() => worker.close());
    return {
      runs,
      /** Resolves when `count` runs have ended. */
      ended: (count: number) => new Promise<void>((resolve) => waiting.push({ count, resolve })),
    };
  }

  it("adds one job when two hosts hand over the same message", async () => {
    const queue = newQueue();
    const other = openQueue(queue.name);
    const one = message();
    await Promise.all([bullmq(queue)(one, context()), bullmq(other)(one, context())]);

    const jobs = await queue.getJobs();
    expect(jobs.map((job) => [job.id, job.name, job.data])).toEqual([[`openclaw-${one.id}`, "proactive", one]]);
    expect(jobs[0]?.opts).toMatchObject({ removeOnComplete: { age: 86_400 }, removeOnFail: { age: 86_400 } });
  });

  it("adds a job for each of two messages with the same text", async () => {
    const queue = newQueue();
    const deliver = bullmq(queue);
    await deliver(message(), context());
    await deliver(message(), context());
    expect(await queue.getWaitingCount()).toBe(2);
  });

  it.each([
    ["completed", () => {}],
    [
      "failed",
      (job: Job) => {
        if (job.data.text === TEXT) throw new Error("the worker failed");
      },
    ],
  ])("runs a message once when it comes again after its job has %s", async (state, work) => {
    const queue = newQueue();
    const other = openQueue(queue.name);
    const [one, later] = [message(), message("a later one")];
    const worker = startWorker(queue, {}, work);

    const first = worker.ended(1);
    await bullmq(queue)(one, context());
    await first;
    expect(await (await queue.getJob(`openclaw-${one.id}`))?.getState()).toBe(state);

    // Jobs run in order: were the repeats jobs, they would run before the later one.
    const second = worker.ended(2);
    await bullmq(queue)(one, context());
    await bullmq(other)(one, context());
    await bullmq(queue)(later, context());
    await second;
    expect(worker.runs).toEqual([`openclaw-${one.id}`, `openclaw-${later.id}`]);
  });

  it("remembers a message when a worker keeps no jobs", async () => {
    const queue = newQueue();
    const [one, later] = [message(), message()];
    const worker = startWorker(queue, { removeOnComplete: { count: 0 }, removeOnFail: { count: 0 } });
    const ended = worker.ended(2);
    await bullmq(queue)(one, context());
    await bullmq(queue)(later, context());
    await ended;
    await bullmq(queue)(one, context());
    expect(await queue.getCompletedCount()).toBe(2);
    expect(await queue.getWaitingCount()).toBe(0);
    expect(worker.runs).toHaveLength(2);
  });

  it("forgets a message when another producer limits the queue", async () => {
    const queue = newQueue();
    const one = message();
    const worker = startWorker(queue);
    const ended = worker.ended(2);
    await bullmq(queue)(one, context());
    // Of jobs that end within one millisecond, the one whose id comes first counts as the older.
    await queue.add("foreign", {}, { jobId: "z-foreign", removeOnComplete: { count: 1 } });
    await ended;
    expect(await queue.getJob(`openclaw-${one.id}`)).toBeUndefined();
  });

  it("adds the data, name and options it is asked for", async () => {
    const queue = newQueue({ attempts: 2, removeOnComplete: false, removeOnFail: { age: 100_000 } });
    const one = message();
    const deliver = bullmq<{ content: string }>(queue, {
      jobName: "comment",
      job: ({ text }) => ({ content: text }),
      jobOptions: { attempts: 5, backoff: { type: "exponential", delay: 1_000 }, removeOnFail: { age: 90_000 } },
    });
    await deliver(one, context());
    const job = await queue.getJob(`openclaw-${one.id}`);
    expect(job?.name).toBe("comment");
    expect(job?.data).toEqual({ content: TEXT });
    expect(job?.opts).toMatchObject({ attempts: 5, backoff: { type: "exponential", delay: 1_000 } });
    expect(job?.opts).toMatchObject({ removeOnComplete: false, removeOnFail: { age: 90_000 } });
  });

  it("keeps the order of each session over several queues", async () => {
    const queues = Array.from({ length: 3 }, () => newQueue());
    const handlers = queues.map((queue) => bullmq(queue));
    const done: { session: string; n: number }[] = [];
    const ended = queues.map((queue, q) => {
      const worker = startWorker(queue, { concurrency: 1 }, (job) => void done.push(job.data.session));
      return worker.ended([0, 1, 2, 3, 4, 5].filter((session) => session % 3 === q).length * 10);
    });
    for (let n = 0; n < 10; n++) {
      for (let session = 0; session < 6; session++) {
        const one = { ...message(), sessionKey: `agent:main:${session}`, session: { session, n } };
        await handlers[session % 3]?.(one, context());
      }
    }
    await Promise.all(ended);
    for (let session = 0; session < 6; session++) {
      const order = done.filter((one) => Number(one.session) === session).map(({ n }) => n);
      expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    }
  });

  it.each(["123", "0", "0:1", "a:b", "a:b:c", "a/b%", "ü"])(
    "makes a job id that BullMQ accepts from %j",
    async (id) => {
      const queue = newQueue();
      await bullmq(queue)({ ...message(), id }, context());
      await bullmq(queue)({ ...message(), id }, context());
      expect(await queue.getWaitingCount()).toBe(1);
    },
  );

  it.skipIf(!redis?.own)("stops waiting when the signal is aborted and adds the job once", async () => {
    const queue = newQueue();
    await queue.waitUntilReady();
    const admin = new Redis(redis?.url as string);
    closing.push(async () => admin.disconnect());
    const one = message();
    const reason = new InboxError("ERR_INBOX_TIMEOUT", "too long");
    const controller = new AbortController();

    closing.push(() => admin.client("UNPAUSE"));
    await admin.client("PAUSE", 60_000, "WRITE");
    const delivery = bullmq(queue)(one, context(controller.signal));
    controller.abort(reason);
    expect(await failure(delivery)).toBe(reason);
    expect(await admin.exists(`bull:${queue.name}:openclaw-${one.id}`)).toBe(0);

    await admin.client("UNPAUSE");
    await bullmq(queue)(one, context());
    expect((await queue.getJobs()).map((job) => job.data)).toEqual([one]);
  });

  it("adds nothing when the signal was aborted before", async () => {
    const queue = newQueue();
    const reason = new InboxError("ERR_INBOX_STOPPED", "stopped");
    expect(await failure(bullmq(queue)(message(), context(AbortSignal.abort(reason))))).toBe(reason);
    await bullmq(queue)(message(), context());
    expect(await queue.getWaitingCount()).toBe(1);
  });

  it("asks for another attempt without showing the text when Redis refuses", async () => {
    const queue = newQueue();
    const admin = new Redis(redis?.url as string);
    closing.push(async () => admin.disconnect());
    await admin.set(`bull:${queue.name}:wait`, "not a list");
    const one = message();
    const error = await failure(bullmq(queue)(one, context()));
    expect(error.code).toBe("ERR_INBOX_DELIVERY");
    expect(error.message).toContain(`Queue \`${queue.name}\` did not take the job: `);
    expect(error.message).toContain("WRONGTYPE");
    await admin.del(`bull:${queue.name}:wait`, `bull:${queue.name}:openclaw-${one.id}`);
  });

  it("refuses default options of a queue that would make it forget", () => {
    const queue = openQueue(`openclaw-inbox-test-${randomUUID()}`, { removeOnComplete: 100 });
    expect(() => bullmq(queue)).toThrow("`queue.defaultJobOptions.removeOnComplete`");
  });
});

describe("the options of bullmq", () => {
  const queue: Parameters<typeof bullmq>[0] = { name: "proactive", add: async () => ({}) };

  it.each<[string, BullMqOptions]>([
    ["none", {}],
    ["keeping for ever", { jobOptions: { removeOnComplete: false, removeOnFail: false } }],
    [
      "exactly the horizon",
      { retainMs: 60_001, jobOptions: { removeOnComplete: { age: 61 }, removeOnFail: { age: 61, limit: 10 } } },
    ],
    ["a horizon of a day by default", { jobOptions: { removeOnComplete: { age: 86_400 } } }],
  ])("accept %s", (_name, options) => {
    expect(bullmq(queue, options)).toBeTypeOf("function");
  });

  it.each([
    ["removal at once", true, "`true`"],
    ["a number of jobs", 1_000_000, "`1000000`"],
    ["a count", { count: 1_000_000 }, '`{"count":1000000}`'],
    ["a count beside a sufficient age", { age: 86_400, count: 1_000_000 }, '`{"age":86400,"count":1000000}`'],
    ["an age a second too small", { age: 86_399 }, '`{"age":86399}`'],
    ["an age that is no number", { age: "86400" }, '`{"age":"86400"}`'],
    ["null", null, "`null`"],
  ])("refuse %s for completed and failed jobs", (_name, keep, shown) => {
    for (const name of ["removeOnComplete", "removeOnFail"]) {
      const given = { [name]: keep };
      const text = (option: string) =>
        `Expected \`${option}\` to be \`{ age: 86400 }\` or more, or \`false\`, so that a job is remembered for \`retainMs\` (86400000), got ${shown}`;
      expect(() => bullmq(queue, { jobOptions: given })).toThrow(text(`jobOptions.${name}`));
      expect(() => bullmq({ ...queue, defaultJobOptions: given })).toThrow(text(`queue.defaultJobOptions.${name}`));
    }
  });

  it.each(["jobId", "deduplication", "debounce", "repeat", "parent"])(
    "refuse %s because it would confuse messages",
    (name) => {
      const given = { [name]: { id: "x" } };
      expect(() => bullmq(queue, { jobOptions: given })).toThrow(`Expected \`jobOptions\` to be without \`${name}\``);
      expect(() => bullmq({ ...queue, defaultJobOptions: given })).toThrow(
        `Expected \`queue.defaultJobOptions\` to be without \`${name}\``,
      );
    },
  );

  it.each([
    ["a horizon of 0", { retainMs: 0 }],
    ["a horizon that is no integer", { retainMs: 1.5 }],
    ["an empty job name", { jobName: "" }],
    ["a job that is no function", { job: "x" }],
    ["a misspelt option", { retain: 1 }],
  ])("refuse %s at once", (_name, options) => {
    let error: unknown;
    try {
      bullmq(queue, options as BullMqOptions);
    } catch (thrown) {
      error = thrown;
    }
    expect(isInboxError(error, "ERR_INBOX_OPTION")).toBe(true);
  });

  it("refuse what is not a queue", () => {
    expect(() => bullmq(undefined as never)).toThrow("Expected `queue` to be a BullMQ Queue");
  });
});
