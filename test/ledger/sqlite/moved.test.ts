import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { beforeEach, describe, expect, it } from "vitest";
import type { InboxError } from "../../../src/errors.ts";
import type { Ledger } from "../../../src/ledger/ledger.ts";
import { createTestClock, type TestClock } from "../../../src/testing/clock.ts";
import { messageOf } from "../../helpers/message.ts";
import { useTemporaryFolder } from "../../helpers/temporary-folder.ts";
import { openLedger } from "../open-ledger.ts";

const inFolder = useTemporaryFolder();
let clock: TestClock;
let ledger: Ledger;
let alarms: (InboxError | undefined)[];
let file: string;

beforeEach(async () => {
  clock = createTestClock(1_700_000_000_000);
  alarms = [];
  mkdirSync(inFolder("data"));
  file = inFolder("data/inbox.db");
  ledger = await openLedger(file, { clock, onAlarm: (error) => alarms.push(error) });
  for (const id of ["taken", "delivered", "dead"]) await ledger.take(messageOf(id, { sessionKey: id }));
  ledger.delivered("delivered", 1);
  ledger.dead("dead", 1, "no");
  ledger.setCursor("name", "value");
  await ledger.flush();
});

function removeAll(): void {
  for (const suffix of ["", "-wal", "-shm"]) rmSync(file + suffix);
}

/** Something is written that cannot be: one alarm, and the answer is that of a ledger in memory. */
async function expectAlarm(): Promise<void> {
  expect(await ledger.take(messageOf("later", { sessionKey: "later" }))).toBe("taken");
  expect(alarms).toMatchObject([{ code: "ERR_INBOX_LEDGER", details: { reason: "moved" } }]);
  expect(await ledger.take(messageOf("later", { sessionKey: "later" }))).toBe("known");
  expect(await ledger.take(messageOf("taken", { sessionKey: "taken" }))).toBe("known");
}

/** The ledger has tried again, and all is well. */
async function expectSafe(): Promise<void> {
  await ledger.flush();
  expect(alarms.slice(1)).toEqual([undefined]);
}

async function expectContents(expected: readonly string[]): Promise<void> {
  const next = await openLedger(file, { clock });
  expect((await next.claim(100)).map(({ message }) => message.id)).toEqual(expected);
  await next.close();
}

describe("a ledger file in use", () => {
  it.each([
    ["deleted", () => rmSync(file)],
    ["deleted with the files beside it", () => removeAll()],
    ["moved", () => renameSync(file, inFolder("elsewhere.db"))],
  ])("is created anew with all its content once it was %s", async (_, remove) => {
    remove();
    await expectAlarm();
    clock.advance(1_000);
    await expectSafe();
    expect(await ledger.take(messageOf("delivered"))).toBe("known");
    expect(await ledger.deadLetters()).toMatchObject([{ message: { id: "dead" } }]);
    expect(await ledger.cursor("name")).toBe("value");
    await ledger.close();
    await expectContents(["taken", "later"]);
  });

  it("is created anew once its folder is there again", async () => {
    rmSync(inFolder("data"), { recursive: true });
    await expectAlarm();
    await expect(ledger.flush()).rejects.toMatchObject({ code: "ERR_INBOX_LEDGER" });
    mkdirSync(inFolder("data"));
    await expectSafe();
    await ledger.close();
    await expectContents(["taken", "later"]);
  });

  it("is used as it is where it was replaced by another ledger", async () => {
    const other = await openLedger(inFolder("other.db"), { clock });
    await other.take(messageOf("other", { sessionKey: "other" }));
    await other.close();
    renameSync(inFolder("other.db"), file);
    await expectAlarm();
    await expectSafe();
    expect((await ledger.claim(100)).map(({ message }) => message.id)).toEqual(["other"]);
    expect(await ledger.take(messageOf("taken"))).toBe("known");
    await ledger.close();
    await expectContents(["other", "taken", "later"]);
  });

  it("is left alone where it was replaced by another kind of file", async () => {
    writeFileSync(inFolder("foreign"), "This is a letter to my landlord. ".repeat(100));
    renameSync(inFolder("foreign"), file);
    await expectAlarm();
    await expect(ledger.flush()).rejects.toMatchObject({ code: "ERR_INBOX_LEDGER" });
    rmSync(file);
    await expectSafe();
    await ledger.close();
    await expectContents(["taken", "later"]);
    expect(readdirSync(inFolder("data"))).toEqual(["inbox.db"]);
  });
});
