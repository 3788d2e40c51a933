import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { endWithProcess } from "./child.ts";
import { freePort } from "./free-port.ts";
import { otherUser, temporaryFolder } from "./postgres.ts";

/** A PgBouncer in front of a Postgres. */
export interface PgBouncer {
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts PgBouncer on a free port. Without the program, it is undefined and says in capitals that `suite` is skipped. */
export async function startPgBouncer(
  postgresUrl: string,
  mode: "session" | "transaction" | "statement",
  suite: string,
): Promise<PgBouncer | undefined> {
  const { hostname, port, pathname, username } = new URL(postgresUrl);
  const folder = temporaryFolder("pgbouncer-");
  const own = await freePort();
  writeFileSync(
    join(folder.path, "pgbouncer.ini"),
    `[databases]
* = host=${hostname} port=${port || 5432} user=${username}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${own}
unix_socket_dir =
auth_type = any
pool_mode = ${mode}
default_pool_size = 20
`,
  );
  const [program = "", ...args] = [...otherUser(folder.path), "pgbouncer", join(folder.path, "pgbouncer.ini")];
  const child = spawn(program, args, {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, PATH: `${process.env["PATH"]}:/usr/sbin` },
  });
  const isReady = await new Promise<boolean>((resolve) => {
    child.once("error", () => resolve(false));
    child.once("exit", () => resolve(false));
    child.stderr.on("data", (text) => String(text).includes("process up") && resolve(true));
  });
  if (!isReady) {
    folder.remove();
    console.error(`\n!!! SKIPPED: ${suite} NEEDS PGBOUNCER. INSTALL pgbouncer. !!!\n`);
    return undefined;
  }
  const end = endWithProcess(child);
  return {
    url: `postgres://${username}@127.0.0.1:${own}${pathname}`,
    async stop() {
      await end();
      folder.remove();
    },
  };
}
