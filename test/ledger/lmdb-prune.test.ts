import { statSync } from "node:fs";
import { open } from "lmdb";
import { describe, expect, it } from "vitest";
import { createLmdbLedger } from "../../src/ledger/lmdb.ts";
import { createTestClock } from "../../src/testing/clock.ts";
import { messageOf } from "./messages.ts";
import { useTemporaryFolder } from "./temporary-folder.ts";

const inFolder = useTemporaryFolder();
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** How many records each table of the file has. */
async function recordCounts(file: string): Promise<Record<string, number>> {
  const root = open({ path: file, noSubdir: true, overlappingSync: false });
  const names = ["entries", "messages", "taken", "settled", "holders", "cursors"];
  const counts = Object.fromEntries(names.map((name) => [name, root.openDB({ name, encoding: "binary" }).getCount()]));
  await root.close();
  return counts;
}

describe("what a ledger remembers", () => {
  it("drops the text of a delivered message at once and its id after its time", async () => {
    const clock = createTestClock(1_700_000_000_000);
    const ledger = createLmdbLedger(inFolder("inbox.lmdb"), { clock });
    await ledger.take(messageOf("a"));
    await ledger.take(messageOf("b"));
    ledger.delivered("a", 1);
    await ledger.flush();
    expect(await recordCounts(inFolder("inbox.lmdb"))).toEqual({
      entries: 2,
      messages: 1,
      taken: 1,
      settled: 1,
      holders: 1,
      cursors: 0,
    });
    clock.advance(DAY_MS + 60_000);
    await ledger.flush();
    expect(await recordCounts(inFolder("inbox.lmdb"))).toEqual({
      entries: 1,
      messages: 1,
      taken: 1,
      settled: 0,
      holders: 1,
      cursors: 0,
    });
    await ledger.close();
    expect((await recordCounts(inFolder("inbox.lmdb")))["holders"]).toBe(0);
  });

  it("keeps dead letters for 7 days, one that was dropped for a day, one that was revived until it is delivered", async () => {
    const clock = createTestClock(1_700_000_000_000);
    const ledger = createLmdbLedger(inFolder("inbox.lmdb"), { clock });
    for (const id of ["dead", "dropped", "revived"]) {
      await ledger.take(messageOf(id));
      ledger.dead(id, 1, "no");
    }
    await ledger.flush();
    await ledger.drop("dropped");
    await ledger.revive("revived");
    clock.advance(DAY_MS + 60_000);
    await ledger.flush();
    expect(await ledger.take(messageOf("dropped"))).toBe(true);
    expect(await ledger.deadLetters()).toHaveLength(1);
    clock.advance(6 * DAY_MS - 120_000);
    await ledger.flush();
    expect(await ledger.deadLetters()).toHaveLength(1);
    clock.advance(120_000);
    await ledger.flush();
    expect(await ledger.deadLetters()).toEqual([]);
    expect(await ledger.take(messageOf("dead"))).toBe(true);
    expect(await ledger.take(messageOf("revived"))).toBe(false);
    await ledger.close();
  });

  it("counts the age of a revived and delivered letter from its delivery", async () => {
    const clock = createTestClock(1_700_000_000_000);
    const ledger = createLmdbLedger(inFolder("inbox.lmdb"), { clock, retainDeadMs: DAY_MS });
    await ledger.take(messageOf("a"));
    ledger.dead("a", 1, "no");
    clock.advance(DAY_MS / 2);
    await ledger.revive("a");
    ledger.delivered("a", 1);
    await ledger.flush();
    clock.advance(DAY_MS / 2 + 60_000);
    await ledger.flush();
    expect(await ledger.take(messageOf("a"))).toBe(false);
    await ledger.close();
  });

  it("forgets thousands that are due at once, while two ledgers prune", async () => {
    const clock = createTestClock(1_700_000_000_000);
    const [one, two] = [
      createLmdbLedger(inFolder("inbox.lmdb"), { clock }),
      createLmdbLedger(inFolder("inbox.lmdb"), { clock }),
    ];
    const ids = Array.from({ length: 3_000 }, (_, index) => `m${index}`);
    await Promise.all(ids.map((id) => one.take(messageOf(id))));
    for (const id of ids) one.delivered(id, 1);
    await one.flush();
    clock.advance(DAY_MS + 60_000);
    await Promise.all([one.flush(), two.flush()]);
    expect(await recordCounts(inFolder("inbox.lmdb"))).toMatchObject({ entries: 0, messages: 0, taken: 0, settled: 0 });
    await Promise.all([one.close(), two.close()]);
  });

  it("forgets cursors that were not set for 30 days", async () => {
    const clock = createTestClock(1_700_000_000_000);
    const ledger = createLmdbLedger(inFolder("inbox.lmdb"), { clock });
    ledger.setCursor("old", "1");
    ledger.setCursor("kept", "1");
    await ledger.flush();
    clock.advance(20 * DAY_MS);
    ledger.setCursor("kept", "2");
    await ledger.flush();
    clock.advance(10 * DAY_MS + HOUR_MS);
    await ledger.flush();
    expect(ledger.cursor("old")).toBeUndefined();
    expect(ledger.cursor("kept")).toBe("2");
    await ledger.close();
  });

  it("stays bounded over days of traffic", async () => {
    const clock = createTestClock(1_700_000_000_000);
    const file = inFolder("inbox.lmdb");
    const ledger = createLmdbLedger(file, { clock });
    const perHour = 100;
    const sizes: number[] = [];
    for (let hour = 0; hour < 96; hour += 1) {
      const ids = Array.from({ length: perHour }, (_, index) => `m${hour}-${index}`);
      await Promise.all(ids.map((id) => ledger.take(messageOf(id, { text: "x".repeat(5_000) }))));
      for (const [index, id] of ids.entries()) {
        ledger.setCursor(`session${index}`, id);
        if (index === 0) ledger.dead(id, 1, "no");
        else ledger.delivered(id, 1);
      }
      clock.advance(HOUR_MS);
      await ledger.flush();
      if (hour % 24 === 23) sizes.push(statSync(file).size);
    }
    const counts = await recordCounts(file);
    expect(counts["entries"]).toBeLessThanOrEqual(perHour * 25 + 96);
    expect(counts).toMatchObject({ messages: 96, taken: 0, cursors: perHour });
    expect(sizes[3]).toBeLessThan((sizes[1] as number) * 1.5);
    await ledger.close();
  }, 60_000);
});
