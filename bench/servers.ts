import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import pg from "pg";
import { freePort } from "../test/helpers/free-port.ts";

/** A server that the bench has started or found. */
export interface BenchServer {
  readonly url: string;
  stop(): Promise<void>;
}

/** A `redis-server` with an append-only file in its own folder; undefined without one. */
export async function startRedis(fsync: "everysec" | "always"): Promise<BenchServer | undefined> {
  const folder = mkdtempSync(join(tmpdir(), "inbox-redis-"));
  const port = await freePort();
  const options = ["--port", `${port}`, "--bind", "127.0.0.1", "--dir", folder, "--save", ""];
  const child = spawn("redis-server", [...options, "--appendonly", "yes", "--appendfsync", fsync], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  if (!(await isReady(child))) {
    rmSync(folder, { recursive: true, force: true });
    return undefined;
  }
  return {
    url: `redis://127.0.0.1:${port}`,
    async stop() {
      const gone = once(child, "exit");
      child.kill("SIGKILL");
      await gone;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The Postgres at `DATABASE_URL`, or the local one. Undefined when there is none that writes each commit to disk. */
export async function findPostgres(): Promise<BenchServer | undefined> {
  const url = process.env["DATABASE_URL"] ?? `postgres://${process.env["USER"] ?? "root"}@127.0.0.1:5432/postgres`;
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
  client.on("error", () => {});
  try {
    await client.connect();
    const { rows } = await client.query(
      "select current_setting('fsync') || current_setting('synchronous_commit') as on",
    );
    return rows[0]?.on === "onon" ? { url, stop: async () => {} } : undefined;
  } catch {
    return undefined;
  } finally {
    await client.end().catch(() => {});
  }
}

function isReady(child: ChildProcess): Promise<boolean> {
  return new Promise((resolve) => {
    child.once("error", () => resolve(false));
    child.once("exit", () => resolve(false));
    if (child.stdout === null) return;
    createInterface(child.stdout).on("line", (line) => {
      if (line.includes("Ready to accept connections")) resolve(true);
    });
  });
}
