import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { messageOf } from "../helpers/message.ts";
import { temporaryFile } from "../helpers/temporary-folder.ts";
import { openLedger } from "../ledger/open-ledger.ts";
import { canMount, useSmallDisk } from "../ledger/small-disk.ts";
import { runCli } from "./run-cli.ts";

let file: string;

/** A ledger that an inbox has open: one message waits, one was delivered, one is dead. */
beforeEach(async () => {
  file = temporaryFile("inbox.db");
  const ledger = await openLedger(file);
  onTestFinished(() => ledger.close());
  for (const id of ["taken", "delivered", "dead"])
    await ledger.take(messageOf(id, { sessionKey: id, text: "Private" }));
  ledger.delivered("delivered", 1);
  ledger.dead("dead", 3, "no");
  await ledger.flush();
});

async function ledgerCommand(...args: readonly string[]) {
  const cli = runCli(["ledger", ...args]);
  const { code } = await cli.ended;
  return { code, stdout: cli.stdout, stderr: cli.stderr };
}

describe("ledger, while an inbox has the file open", () => {
  it("counts its entries", async () => {
    const { code, stdout } = await ledgerCommand("stats", "--ledger", file);
    expect(code).toBe(0);
    const rows = stdout.trimEnd().split("\n");
    expect(rows.map((row) => row.split(/\s+/).slice(0, 2))).toEqual([
      ["taken", "1"],
      ["delivered", "1"],
      ["dead", "1"],
    ]);
    expect(stdout).not.toContain("Private");
  });

  it("reports a file that is whole", async () => {
    expect(await ledgerCommand("check", "--ledger", file)).toEqual({
      code: 0,
      stdout: "",
      stderr: "3 messages, all is well\n",
    });
  });

  it("copies all of it for an inbox and overwrites no file", async () => {
    const copy = temporaryFile("copy.db");
    expect(await ledgerCommand("backup", copy, "--ledger", file)).toMatchObject({ code: 0, stdout: "" });
    const ledger = await openLedger(copy);
    expect(await ledger.take(messageOf("delivered"))).toBe("known");
    expect((await ledger.claim(10)).map(({ message }) => message.id)).toEqual(["taken"]);
    await ledger.close();
    expect(await ledgerCommand("backup", copy, "--ledger", file)).toMatchObject({ code: 1 });
  });
});

it("names what cannot be read", async () => {
  const copy = temporaryFile("copy.db");
  await ledgerCommand("backup", copy, "--ledger", file);
  const bytes = readFileSync(copy);
  bytes[bytes.indexOf("Private")] = "p".charCodeAt(0);
  writeFileSync(copy, bytes);
  const { code, stdout, stderr } = await ledgerCommand("check", "--ledger", copy);
  expect(code).toBe(1);
  expect(stdout).toMatch(/^message (taken|dead) cannot be read\n$/);
  expect(stderr).toBe("3 messages; the file is damaged\n");
});

it("refuses a file that is no ledger", async () => {
  const other = temporaryFile("other.db");
  writeFileSync(other, "not a database");
  expect((await ledgerCommand("check", "--ledger", other)).code).toBe(1);
  expect((await ledgerCommand("check", "--ledger", `${other}-none`)).code).toBe(1);
  expect((await ledgerCommand("check", "--ledger", "postgres://localhost/inbox")).code).toBe(2);
  expect((await ledgerCommand("chekc", "--ledger", file)).code).toBe(2);
});

describe.runIf(canMount())("a backup to a full disk", () => {
  const disk = useSmallDisk();

  it("says so and leaves nothing behind", async () => {
    disk.fill();
    const { code, stderr } = await ledgerCommand("backup", disk.path("copy.db"), "--ledger", file);
    expect(code).toBe(1);
    expect(stderr).toContain("Cannot write a copy");
    expect(existsSync(disk.path("copy.db"))).toBe(false);
    disk.makeRoom();
    expect((await ledgerCommand("backup", disk.path("copy.db"), "--ledger", file)).code).toBe(0);
  });
});
