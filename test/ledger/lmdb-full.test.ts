import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { InboxError } from "../../src/errors.ts";
import { createLmdbLedger, type LmdbLedger } from "../../src/ledger/lmdb.ts";
import { createTestClock, type TestClock } from "../../src/testing/clock.ts";
import { messageOf } from "./messages.ts";
import { canMount, useSmallDisk } from "./small-disk.ts";

function big(id: string) {
  return messageOf(id, { text: id.repeat(4_000) });
}

describe.runIf(canMount())("a ledger on a full disk", () => {
  const disk = useSmallDisk();
  let clock: TestClock;
  let alarms: (InboxError | undefined)[];
  let ledger: LmdbLedger;

  beforeEach(async () => {
    clock = createTestClock(1_700_000_000_000);
    alarms = [];
    ledger = createLmdbLedger(disk.path("inbox.lmdb"), {
      clock,
      maxUnsaved: 50,
      onAlarm: (error) => alarms.push(error),
    });
    await ledger.take(big("before"));
    await ledger.take(big("buried"));
    ledger.dead("buried", 1, "no");
    await ledger.flush();
  });

  afterEach(async () => {
    disk.makeRoom();
    await ledger.close();
  });

  /** Makes room and lets the ledger find out by itself. */
  async function makeRoom(): Promise<void> {
    disk.makeRoom();
    clock.advance(30_000);
    await ledger.flush();
  }

  it("takes messages on in memory, each once, says so once, and claims no safety", async () => {
    disk.fill();
    const ids = Array.from({ length: 20 }, (_, index) => `m${index}`);
    expect(await Promise.all(ids.map((id) => ledger.take(big(id))))).toEqual(ids.map(() => true));
    expect(await Promise.all(ids.map((id) => ledger.take(big(id))))).toEqual(ids.map(() => false));
    expect(await ledger.take(big("before"))).toBe(false);
    expect(await ledger.take(big("buried"))).toBe(false);
    expect(alarms).toEqual([
      expect.objectContaining({ code: "ERR_INBOX_LEDGER", message: expect.stringContaining(disk.path("inbox.lmdb")) }),
    ]);
    expect(alarms[0]?.message).toContain("less than 32 MiB are left");
    expect(ledger.stats()).toEqual({ safe: false, unsaved: 20, forgotten: 0 });
    await expect(ledger.flush()).rejects.toMatchObject({ code: "ERR_INBOX_LEDGER" });
    expect(alarms).toHaveLength(1);
  });

  it("brings everything to disk by itself when there is room again", async () => {
    disk.fill();
    for (const id of ["delivered", "dead", "taken", "dropped", "revived"]) await ledger.take(big(id));
    ledger.attempted("taken", 2, "not yet");
    ledger.delivered("delivered", 1);
    ledger.delivered("before", 1);
    for (const id of ["dead", "dropped", "revived"]) ledger.dead(id, 3, "no");
    ledger.setCursor("cursor", "here");
    expect((await ledger.deadLetters()).map(({ message }) => message.id).sort()).toEqual([
      "buried",
      "dead",
      "dropped",
      "revived",
    ]);
    expect(await ledger.drop("dropped")).toBe(true);
    expect(await ledger.revive("revived")).toMatchObject({ state: "taken", attempts: 0 });
    expect(await ledger.take(big("delivered"))).toBe(false);
    expect(ledger.cursor("cursor")).toBe("here");

    await makeRoom();
    expect(ledger.stats()).toEqual({ safe: true, unsaved: 0, forgotten: 0 });
    expect(alarms).toEqual([expect.any(Error), undefined]);
    await ledger.close();

    const next = createLmdbLedger(disk.path("inbox.lmdb"), { clock });
    expect((await next.claim()).map(({ message, attempts, error }) => [message.id, attempts, error])).toEqual([
      ["taken", 2, "not yet"],
      ["revived", 0, undefined],
    ]);
    expect((await next.deadLetters()).map(({ message }) => message.id).sort()).toEqual(["buried", "dead"]);
    for (const id of ["before", "delivered", "dropped"]) expect(await next.take(big(id))).toBe(false);
    expect(next.cursor("cursor")).toBe("here");
    await next.close();
  });

  it("writes no cursor ahead of the messages it speaks of", async () => {
    disk.fill();
    const taking = ledger.take(big("m"));
    ledger.setCursor("cursor", "after m");
    await taking;
    await ledger.flush().catch(() => {});
    const other = createLmdbLedger(disk.path("inbox.lmdb"), { clock });
    expect(other.cursor("cursor")).toBeUndefined();
    await other.close();
    await makeRoom();
    const later = createLmdbLedger(disk.path("inbox.lmdb"), { clock });
    expect(later.cursor("cursor")).toBe("after m");
    expect(await later.take(big("m"))).toBe(false);
    await later.close();
  });

  it("keeps a bounded number of delivered ids, and counts the others", async () => {
    disk.fill();
    for (let index = 0; index < 80; index += 1) {
      await ledger.take(big(`m${index}`));
      ledger.delivered(`m${index}`, 1);
    }
    await ledger.take(big("last"));
    const { safe, unsaved, forgotten } = ledger.stats();
    expect({ safe, unsaved }).toEqual({ safe: false, unsaved: 51 });
    // What the disk refused first is known only once it has refused it.
    expect(forgotten).toBe(30);
  });

  it("can fill up and recover again and again", async () => {
    for (let round = 0; round < 3; round += 1) {
      disk.fill();
      const ids = Array.from({ length: 40 }, (_, index) => `r${round}-${index}`);
      for (const id of ids) await ledger.take(big(id));
      expect(ledger.stats().safe).toBe(false);
      await makeRoom();
      expect(ledger.stats().safe).toBe(true);
    }
    expect(alarms.map((alarm) => alarm === undefined)).toEqual([false, true, false, true, false, true]);
  });

  it("says at close what it could not write, and leaves what is on disk to be claimed", async () => {
    disk.fill();
    await ledger.take(big("m"));
    await ledger.close();
    expect(alarms.at(-1)?.message).toContain("1 of its entries in memory only");
    disk.makeRoom();
    const next = createLmdbLedger(disk.path("inbox.lmdb"), { clock });
    expect((await next.claim()).map(({ message }) => message.id)).toEqual(["before"]);
    await next.close();
  });
});
