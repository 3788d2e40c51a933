import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { endWithProcess } from "./child.ts";
import { freePort } from "./free-port.ts";

/** A Redis for tests. */
export interface TestRedis {
  readonly url: string;
  /** Whether the test started it, so that it is empty and of nobody else. */
  readonly own: boolean;
  stop(): Promise<void>;
}

/**
 * Starts a `redis-server` on a free port of loopback, in memory only. Without the program it is the one at `REDIS_URL`.
 * Without both, it is undefined and says in capitals that `suite` is skipped.
 */
export async function startRedis(suite: string): Promise<TestRedis | undefined> {
  const started = await spawnRedis();
  if (started !== undefined) return started;
  const url = process.env["REDIS_URL"];
  if (url) return { url, own: false, stop: async () => {} };
  console.error(`\n!!! SKIPPED: ${suite} NEEDS REDIS. INSTALL redis-server OR SET REDIS_URL. !!!\n`);
  return undefined;
}

/** Undefined when there is no `redis-server` to start. */
async function spawnRedis(): Promise<TestRedis | undefined> {
  // Another process may take the port before it is used. Then the next one is tried.
  for (let left = 5; left > 0; left--) {
    const port = await freePort();
    const options = ["--port", `${port}`, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
    const child = spawn("redis-server", options, { stdio: ["ignore", "pipe", "ignore"] });
    const state = await readiness(child);
    if (state === "missing") return undefined;
    if (state === "ready") return { url: `redis://127.0.0.1:${port}`, own: true, stop: endWithProcess(child) };
  }
  throw new Error("redis-server does not start");
}

function readiness(child: ChildProcess): Promise<"ready" | "missing" | "ended"> {
  return new Promise((resolve) => {
    child.once("error", () => resolve("missing"));
    child.once("exit", () => resolve("ended"));
    if (child.stdout === null) return;
    createInterface(child.stdout).on("line", (line) => {
      if (line.includes("Ready to accept connections")) resolve("ready");
    });
  });
}
