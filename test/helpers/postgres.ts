import { execFile, execFileSync } from "node:child_process";
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";
import { freePort } from "./free-port.ts";

const run = promisify(execFile);

/** A Postgres for tests. */
export interface TestPostgres {
  readonly url: string;
  /** Drops the schemas made by `schema()`, and stops the server if this test started it. */
  stop(): Promise<void>;
  /** The name of a schema that nobody else uses. */
  schema(): string;
}

/** A server of the test, which it may stop and start. */
export interface OwnPostgres extends TestPostgres {
  readonly port: number;
  /** Stops the server at once, as a crash does. All connections break. */
  halt(): Promise<void>;
  /** Starts the server again. */
  resume(): Promise<void>;
}

let known: Promise<string | undefined> | undefined;

/**
 * The Postgres at `DATABASE_URL`, else the local one, else a new one of the system's package. Where there is none, it is
 * undefined and says in capitals that `suite` is skipped.
 */
export async function usePostgres(suite: string): Promise<TestPostgres | undefined> {
  known ??= findRunning();
  const url = await known;
  if (url === undefined) return startPostgres(suite);
  const schemas = schemaNames();
  return {
    url,
    schema: schemas.next,
    stop: () => schemas.drop(url),
  };
}

async function findRunning(): Promise<string | undefined> {
  const given = process.env["DATABASE_URL"];
  if (given) return given;
  for (const database of ["test", "postgres"]) {
    const url = `postgres://${process.env["USER"] ?? "root"}@127.0.0.1:5432/${database}`;
    if (await answers(url)) return url;
  }
  return undefined;
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
  client.on("error", () => {});
  try {
    await client.connect();
    await client.query("select 1");
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => {});
  }
}

function schemaNames() {
  const names: string[] = [];
  return {
    next() {
      names.push(`inbox_test_${process.pid}_${Math.random().toString(36).slice(2, 10)}`);
      return names.at(-1) as string;
    },
    async drop(url: string) {
      const client = new pg.Client({ connectionString: url });
      await client.connect();
      // One statement each: one transaction has room for a few thousand locks, and a schema has some 20 objects.
      for (const name of names.splice(0)) await client.query(`drop schema if exists "${name}" cascade`);
      await client.end();
    },
  };
}

/** Runs statements over a connection of their own. Resolves with the rows of the last. */
export async function query(
  url: string,
  statements: string | readonly string[],
  values: unknown[] = [],
): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  let rows: Record<string, unknown>[] = [];
  try {
    for (const statement of [statements].flat()) ({ rows } = await client.query(statement, values));
  } finally {
    await client.end();
  }
  return rows;
}

/** Starts a server on a free port, in a temporary folder. Without the program, it is undefined and says so in capitals. */
export async function startPostgres(suite: string): Promise<OwnPostgres | undefined> {
  const bin = findPrograms();
  if (bin === undefined) {
    console.error(`\n!!! SKIPPED: ${suite} NEEDS POSTGRES. INSTALL postgresql OR SET DATABASE_URL. !!!\n`);
    return undefined;
  }
  const { path: folder, remove } = temporaryFolder("postgres-");
  const asOther = otherUser(folder);
  const data = join(folder, "data");
  await run(
    ...commandLine(
      [...asOther, join(bin, "initdb")],
      ["-D", data, "-A", "trust", "-U", "inbox", "-E", "UTF8", "--no-locale", "-N"],
    ),
  );
  const port = await freePort();
  const control = async (...args: string[]) => {
    await run(...commandLine([...asOther, join(bin, "pg_ctl")], ["-D", data, "-w", ...args]));
  };
  const options = `-p ${port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c max_connections=100`;
  const start = () => control("-l", join(folder, "log"), "-o", options, "start");
  const halt = () => control("-m", "immediate", "stop");
  await start();
  const clean = () => {
    try {
      execFileSync(...commandLine([...asOther, join(bin, "pg_ctl")], ["-D", data, "-m", "immediate", "stop"]), {
        stdio: "ignore",
      });
    } catch {
      // It has ended already.
    }
    remove();
  };
  process.once("exit", clean);
  return {
    url: `postgres://inbox@127.0.0.1:${port}/postgres`,
    port,
    schema: schemaNames().next,
    halt,
    resume: start,
    async stop() {
      process.off("exit", clean);
      await halt().catch(() => {});
      remove();
    },
  };
}

function commandLine([program, ...first]: readonly string[], args: readonly string[]): [string, string[]] {
  return [program as string, [...first, ...args]];
}

function findPrograms(): string | undefined {
  const root = "/usr/lib/postgresql";
  const versions = existsSync(root) ? readdirSync(root).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = [...versions.map((version) => join(root, version, "bin")), ...(process.env["PATH"] ?? "").split(":")];
  return folders.find((folder) => existsSync(join(folder, "initdb")) && existsSync(join(folder, "pg_ctl")));
}

/** A folder for one test. */
export function temporaryFolder(prefix: string): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), prefix));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** A server refuses to run as root. This is how to run it as the user `postgres`, who gets `folder`. */
export function otherUser(folder: string): readonly string[] {
  if (process.getuid?.() !== 0) return [];
  const [uid, gid] = ["-u", "-g"].map((flag) => Number(execFileSync("id", [flag, "postgres"], { encoding: "utf8" })));
  for (const path of [folder, ...readdirSync(folder).map((name) => join(folder, name))])
    chownSync(path, uid as number, gid as number);
  // In `/usr/bin`, where `runuser` is not in the PATH of every root.
  return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"];
}
