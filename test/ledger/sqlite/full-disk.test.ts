import { DatabaseSync } from "node:sqlite";
import { describe, expect, it } from "vitest";
import { createTestClock } from "../../../src/testing/index.ts";
import { messageOf } from "../../helpers/message.ts";
import { openLedger } from "../open-ledger.ts";
import { canMount, useSmallDisk } from "../small-disk.ts";

const NOON = 1_800_000_000_000;

describe.runIf(canMount())("a ledger file on a disk that is full for a moment", () => {
  const disk = useSmallDisk();

  it("has no cursor that is later than a message in memory", async () => {
    const file = disk.path("inbox.db");
    const ledger = await openLedger(file, {
      clock: createTestClock(NOON),
      // The disk has room again before anything else is written.
      onAlarm: (error) => error !== undefined && disk.makeRoom(),
    });
    disk.fill();
    const taking = ledger.take(messageOf("run-1", { text: "x".repeat(100_000) }));
    await Promise.resolve();
    ledger.setCursor("heard", "up to run-1");
    expect(await taking).toBe("taken");
    await ledger.cursor("heard");
    expect(onDisk(file)).toEqual({ messages: 0, bookmarks: 0 });

    await ledger.flush();
    expect(onDisk(file)).toEqual({ messages: 1, bookmarks: 1 });
    await ledger.close();
  });

  it("claims again what it could not claim", async () => {
    const file = disk.path("inbox.db");
    const before = await openLedger(file);
    for (let n = 0; n < 100; n += 1) await before.take(messageOf(`run-${n}`, { text: "x".repeat(1_000) }));
    await before.close();

    let claimable = 0;
    const ledger = await openLedger(file, { clock: createTestClock(NOON), onClaimable: () => (claimable += 1) });
    disk.fill();
    await expect(ledger.claim(100)).rejects.toMatchObject({ code: "ERR_INBOX_LEDGER" });
    disk.makeRoom();
    claimable = 0;
    await ledger.flush();
    expect(claimable).toBe(1);
    expect(await ledger.claim(100)).toHaveLength(100);
    await ledger.close();
  });

  it("says at its end what it could not write", async () => {
    const alarms: string[] = [];
    const ledger = await openLedger(disk.path("inbox.db"), {
      onAlarm: (error) => alarms.push(error?.message ?? "well"),
    });
    await ledger.take(messageOf("run-1", { text: "x".repeat(10_000) }));
    disk.fill();
    ledger.delivered("run-1", 1);
    await ledger.close();
    expect(alarms).toEqual([expect.stringContaining("was closed with 1 of its entries in memory only")]);
  });

  it("saves at its end what it could not write before", async () => {
    const file = disk.path("inbox.db");
    const ledger = await openLedger(file, { clock: createTestClock(NOON) });
    disk.fill();
    expect(await ledger.take(messageOf("run-1", { text: "x".repeat(100_000) }))).toBe("taken");
    disk.makeRoom();
    await ledger.close();
    expect(onDisk(file).messages).toBe(1);
  });
});

function onDisk(file: string): { readonly messages: number; readonly bookmarks: number } {
  const db = new DatabaseSync(file, { readOnly: true });
  const count = (table: string) => Number(db.prepare(`select count(*) as count from ${table}`).get()?.["count"]);
  const counts = { messages: count("messages"), bookmarks: count("bookmarks") };
  db.close();
  return counts;
}
