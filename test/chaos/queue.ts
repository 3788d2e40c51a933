import { Queue, Worker } from "bullmq";
import { bullmq } from "../../src/delivery/bullmq/bullmq.ts";
import type { Deliver } from "../../src/delivery/deliver.ts";
import type { ProactiveMessage } from "../../src/types.ts";
import { createRandom, hashOf } from "./random.ts";

/** One host's end of a queue: what it hands messages to, and a worker. */
export interface QueueEnd {
  readonly deliver: Deliver;
  close(): Promise<void>;
}

/** Connects to the queue. Handing over fails now and then, before the job was added or after; `handle` is the worker's. */
export function connectQueue(
  redis: { readonly url: string; readonly queue: string },
  seed: number,
  handle: (id: string, text: string, attempt: number) => Promise<void>,
): QueueEnd {
  const { hostname: host, port } = new URL(redis.url);
  const connection = { host, port: Number(port) };
  const queue = new Queue<ProactiveMessage>(redis.queue, { connection });
  const worker = new Worker<ProactiveMessage>(
    redis.queue,
    ({ data: { id, text }, attemptsMade }) => handle(id, text, attemptsMade + 1),
    { connection: { ...connection, maxRetriesPerRequest: null }, concurrency: 16 },
  );
  const add = bullmq(queue, { jobOptions: { attempts: 10, backoff: { type: "fixed", delay: 20 } } });

  return {
    async deliver(message, context) {
      const random = createRandom(hashOf(`${seed} ${process.pid} ${message.id} ${context.attempt}`));
      const fails = context.attempt < 3 && random.chance(0.02);
      const before = random.chance(0.5);
      if (fails && before) throw new Error("not reached");
      await add(message, context);
      if (fails) throw new Error("reached, but the answer was lost");
    },
    async close() {
      await worker.close();
      await queue.close();
    },
  };
}
