import { existsSync } from "node:fs";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import type { Ledger } from "../../src/ledger/ledger.ts";
import type { ProactiveMessage } from "../../src/types.ts";
import { messageOf } from "../helpers/message.ts";
import { temporaryFile } from "../helpers/temporary-folder.ts";
import { openLedger } from "../ledger/open-ledger.ts";
import { runCli } from "./run-cli.ts";

const message = (n: number): ProactiveMessage =>
  messageOf(`message-${n}`, {
    gateway: "default",
    runId: `run-${n}`,
    sessionKey: `agent:main:collavre:42:creative:${n}`,
    text: `Confidential ${n}\nsecond line\u001b[2J`,
    completedAt: 1_763_800_012_345,
  });

let file: string;
/** The ledger as a running inbox has it open. */
let ledger: Ledger;

beforeEach(async () => {
  file = temporaryFile("inbox.db");
  ledger = await openLedger(file);
  onTestFinished(() => ledger.close());
  for (const n of [1, 2]) {
    await ledger.take(message(n));
    ledger.dead(message(n).id, 10 * n, `HTTP 50${n}`);
  }
  await ledger.flush();
});

async function dead(...args: readonly string[]) {
  const cli = runCli(["dead", ...args, "--ledger", file]);
  const { code } = await cli.ended;
  return { code, stdout: cli.stdout, stderr: cli.stderr };
}

const idsLeft = async (): Promise<readonly string[]> => (await ledger.deadLetters()).map((letter) => letter.message.id);

describe("dead, while an inbox has the ledger open", () => {
  it("lists dead letters without their texts", async () => {
    const { code, stdout } = await dead("list");
    expect(code).toBe(0);
    const [titles, ...rows] = stdout
      .trimEnd()
      .split("\n")
      .map((line) => line.split(/ {2,}/));
    expect(titles).toEqual(["ID", "AGE", "ATTEMPTS", "SESSION", "ERROR"]);
    expect(rows).toEqual([
      ["message-1", expect.stringMatching(/^\d+ s$/), "10", "agent:main:collavre:42:creative:1", "HTTP 501"],
      ["message-2", expect.stringMatching(/^\d+ s$/), "20", "agent:main:collavre:42:creative:2", "HTTP 502"],
    ]);
    expect(stdout).not.toContain("Confidential");
  });

  it("shows one with its text and without control characters", async () => {
    const { code, stdout } = await dead("show", "message-2");
    expect(code).toBe(0);
    expect(stdout).toContain("run:       run-2\n");
    expect(stdout).toContain("error:     HTTP 502\n");
    expect(stdout).toMatch(/\n\nConfidential 2\nsecond line\[2J\n$/);
  });

  it("revives one for the inbox to claim", async () => {
    expect(await dead("retry", "message-1")).toEqual({ code: 0, stdout: "", stderr: "1 will be delivered again\n" });
    expect(await idsLeft()).toEqual(["message-2"]);
    expect(await ledger.claim(100)).toMatchObject([{ message: { id: "message-1" }, state: "taken", attempts: 0 }]);
  });

  it("revives all with --all", async () => {
    expect(await dead("retry", "--all")).toEqual({ code: 0, stdout: "", stderr: "2 will be delivered again\n" });
    expect((await ledger.claim(100)).map((entry) => entry.message.id)).toEqual(["message-1", "message-2"]);
    expect(await dead("list")).toEqual({ code: 0, stdout: "", stderr: "There are no dead letters\n" });
    expect(await dead("retry", "--all")).toMatchObject({ code: 0, stderr: "0 will be delivered again\n" });
  });

  it("drops one and still knows its id", async () => {
    expect(await dead("drop", "message-1")).toEqual({ code: 0, stdout: "", stderr: "1 dropped\n" });
    expect(await idsLeft()).toEqual(["message-2"]);
    expect(await ledger.take(message(1))).toBe("known");
  });

  it("drops all with --all", async () => {
    expect(await dead("drop", "--all")).toEqual({ code: 0, stdout: "", stderr: "2 dropped\n" });
    expect(await idsLeft()).toEqual([]);
  });

  it("lists JSON lines without texts with --json", async () => {
    const { code, stdout } = await dead("list", "--json");
    expect(code).toBe(0);
    expect(
      stdout
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line) as object),
    ).toMatchObject([
      { id: "message-1", sessionKey: message(1).sessionKey, attempts: 10, error: "HTTP 501" },
      { id: "message-2" },
    ]);
    expect(stdout).not.toContain("Confidential");
  });

  it.each(["show", "retry", "drop"])("refuses to %s what is no dead letter", async (verb) => {
    expect(await dead(verb, "message-9")).toEqual({
      code: 1,
      stdout: "",
      stderr: "openclaw-inbox: There is no dead letter message-9\n",
    });
    expect(await idsLeft()).toEqual(["message-1", "message-2"]);
  });
});

it("creates no ledger", async () => {
  const missing = temporaryFile("missing.db");
  const cli = runCli(["dead", "list", "--ledger", missing]);
  expect(await cli.ended).toEqual({ code: 1, signal: null });
  expect(cli.stderr).toBe(`openclaw-inbox: There is no ledger ${missing}\n`);
  expect(existsSync(missing)).toBe(false);
});
