import { afterAll, describe, expect, it } from "vitest";
import { systemClock } from "../../src/kit/clock.ts";
import { postgresLedger } from "../../src/ledger/postgres/postgres.ts";
import { messageOf } from "../helpers/message.ts";
import { query, usePostgres } from "../helpers/postgres.ts";
import { runCli } from "./run-cli.ts";

const postgres = await usePostgres("DEAD LETTERS IN POSTGRES");
afterAll(() => postgres?.stop());

async function dead(...args: readonly string[]) {
  const cli = runCli(["dead", ...args]);
  const { code } = await cli.ended;
  return { code, stdout: cli.stdout, stderr: cli.stderr };
}

describe.skipIf(postgres === undefined)("dead, on a ledger in Postgres", () => {
  it("lists and revives while an inbox has it open", async () => {
    const schema = postgres?.schema() as string;
    const place = `${postgres?.url}?schema=${schema}`;
    const ledger = postgresLedger({ connectionString: postgres?.url as string, schema });
    await ledger.open({ clock: systemClock, ordering: "session", onAlarm() {}, onDamage() {}, onClaimable() {} });
    await ledger.take(messageOf("a"));
    ledger.dead("a", 3, "HTTP 500");
    await ledger.flush();
    const listed = await dead("list", "--ledger", place);
    expect(listed).toMatchObject({ code: 0, stdout: expect.stringContaining("HTTP 500") });
    expect(listed.stdout).not.toContain("text of a");
    expect((await dead("retry", "a", "--ledger", place)).code).toBe(0);
    expect((await ledger.claim(10)).map(({ message }) => message.id)).toEqual(["a"]);
    await ledger.close();
  });

  it("creates no ledger and quotes no address", async () => {
    const schema = postgres?.schema() as string;
    const { code, stderr } = await dead("list", "--ledger", `${postgres?.url}?schema=${schema}`);
    expect(code).not.toBe(0);
    expect(stderr).toContain("There is no ledger in that database");
    expect(stderr).not.toContain(schema);
    expect(await query(postgres?.url as string, "select from pg_namespace where nspname = $1", [schema])).toEqual([]);
  });
});
