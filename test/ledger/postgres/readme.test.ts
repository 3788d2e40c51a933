import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { afterAll, describe, expect, it } from "vitest";
import { startPostgres } from "../../helpers/postgres.ts";

const root = new URL("../../../", import.meta.url);
const source = (path: string) => JSON.stringify(fileURLToPath(new URL(path, root)));
const readme = readFileSync(new URL("README.md", root), "utf8");

/** The lines of the recipe that begins with these words. */
function recipe(title: string): readonly string[] {
  const from = readme.indexOf(`- **${title}**`);
  const [, code = ""] = /```ts\n([\s\S]*?)```/.exec(readme.slice(from)) ?? [];
  return code.split("\n").map((line) => line.trim());
}

const postgres = await startPostgres("THE RECIPES OF THE README");
afterAll(() => postgres?.stop());

describe.skipIf(postgres === undefined)("the README's recipes for Postgres", () => {
  it("work as they are printed", async () => {
    const [ledger = "", inbox = "", start = ""] = recipe("Several machines");
    const deliver = recipe("Exactly once").join("\n");
    const url = postgres?.url as string;
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    await client.query("create table comments (body text)");
    const program = `
      import { createInbox } from ${source("src/index.ts")};
      import { postgresLedger } from ${source("src/ledger/postgres/postgres.ts")};
      import { createFakeGateway } from ${source("src/testing/index.ts")};
      const fake = await createFakeGateway();
      const gateway = { url: fake.url, token: fake.token };
      ${ledger}
      ${deliver}
      ${inbox}
      ${start}
      fake.say("Standup is in ten minutes.", { sessionKey: "agent:main:team", origin: "cron" });
      while (inbox.stats().delivered < 1) await new Promise((resolve) => setTimeout(resolve, 10));
      await inbox.stop();
      await fake.close();
    `;
    const args = ["--import", "tsx", "--input-type=module", "--eval", program];
    const child = spawn(process.execPath, args, { stdio: "inherit", env: { ...process.env, DATABASE_URL: url } });
    const [code] = await once(child, "exit");
    expect(code).toBe(0);
    expect((await client.query("select body from comments")).rows).toEqual([{ body: "Standup is in ten minutes." }]);
    await client.end();
  }, 60_000);
});
