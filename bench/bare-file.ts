import { fsyncSync, openSync, writeSync } from "node:fs";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { createMemoryLedger, type Ledger } from "../src/index.ts";

/** How much is written for a message, in bytes: two pages as SQLite has them, for its row and its place in an index. */
const BYTES = 2 * 4_096;
/** The file is written from its beginning again after so many messages, like a log. */
const MESSAGES = 500;

/**
 * A ledger in memory that answers after a thread has written and flushed two pages: the least that a message on disk can
 * take.
 */
export function bareFileLedger(path: string): Ledger {
  const memory = createMemoryLedger();
  const worker = new Worker(new URL(import.meta.url), { workerData: path });
  const waiting: (() => void)[] = [];
  worker.on("message", () => waiting.shift()?.());
  return {
    ...memory,
    async take(message) {
      await new Promise<void>((resolve) => {
        waiting.push(resolve);
        worker.postMessage(0);
      });
      return memory.take(message);
    },
    async close() {
      await worker.terminate();
      await memory.close();
    },
  };
}

if (!isMainThread && typeof workerData === "string") {
  const file = openSync(workerData, "w");
  const pages = Buffer.alloc(BYTES, 1);
  for (let count = 0; count < MESSAGES; count += 1) writeSync(file, pages, 0, BYTES, count * BYTES);
  fsyncSync(file);
  let count = 0;
  parentPort?.on("message", () => {
    writeSync(file, pages, 0, BYTES, (count % MESSAGES) * BYTES);
    fsyncSync(file);
    count += 1;
    parentPort?.postMessage(0);
  });
}
