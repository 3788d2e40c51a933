import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Alarm, createInbox, type Inbox } from "../../src/index.ts";
import { createTestClock, type TestClock } from "../../src/testing/clock.ts";
import { turn } from "../helpers/turns.ts";
import { openLedger } from "../ledger/open-ledger.ts";
import { canMount, useSmallDisk } from "../ledger/small-disk.ts";

describe.runIf(canMount())("an inbox whose disk is full", () => {
  const disk = useSmallDisk();
  let clock: TestClock;
  let inbox: Inbox;
  let delivered: string[];
  let alarms: Alarm[];
  /** Of each message, in the moment in which it counted as dispatched: what `unsafe` said. */
  let unsafeAt: Record<string, number>;
  let broken: boolean;
  let count = 0;

  beforeEach(async () => {
    clock = createTestClock(1_700_000_000_000);
    delivered = [];
    alarms = [];
    unsafeAt = {};
    broken = false;
    inbox = createInbox({
      clock,
      ledger: disk.path("inbox.db"),
      retry: { maxAttempts: 2, firstDelayMs: 10 },
      random: () => 0.5,
      deliver({ runId }) {
        if (broken) throw new Error("down");
        delivered.push(runId);
      },
    });
    inbox.alarms$.subscribe((alarm) => alarms.push(alarm));
    inbox.messages$.subscribe(({ runId }) => {
      unsafeAt[runId] = inbox.stats().unsafe;
    });
    await inbox.start();
  });

  afterEach(async () => {
    disk.makeRoom();
    await inbox.stop({ drainMs: 0 });
  });

  /** Says something long and waits until it is delivered. */
  async function say(): Promise<string> {
    const runId = `run-${++count}`;
    inbox.handle({ runId, sessionKey: runId, seq: 1, state: "final", message: { content: "x".repeat(8_000) } });
    await until(() => delivered.includes(runId) || broken);
    return runId;
  }

  async function until(holds: () => boolean): Promise<void> {
    while (!holds()) await turn();
  }

  it("delivers from memory, raises one alarm and counts no message as safe", async () => {
    const safe = await say();
    expect(unsafeAt).toEqual({ [safe]: 0 });
    disk.fill();
    const unsafe: string[] = [];
    for (let i = 0; i < 10; i += 1) unsafe.push(await say());
    expect(delivered).toEqual([safe, ...unsafe]);
    expect(alarms).toEqual([{ part: "ledger", error: expect.objectContaining({ code: "ERR_INBOX_LEDGER" }) }]);
    expect(inbox.stats()).toMatchObject({ unsafe: 1, delivered: 11, dispatched: 11, pending: 0 });

    // What another process would find is what was claimed safe, and no more.
    const db = new DatabaseSync(disk.path("inbox.db"), { readOnly: true });
    const onDisk = new Set(
      db
        .prepare("select run_id from messages")
        .all()
        .map((row) => row["run_id"]),
    );
    db.close();
    expect(Object.keys(unsafeAt).filter((runId) => unsafeAt[runId] === 0 && !onDisk.has(runId))).toEqual([]);
    expect(unsafe.filter((runId) => unsafeAt[runId] === 1).length).toBeGreaterThan(0);
  });

  it("lists its dead letters in memory with those on disk, in either order", async () => {
    const dies = async () => {
      broken = true;
      const runId = await say();
      const { dead } = inbox.stats();
      await until(() => inbox.stats().waiting === 1);
      clock.advance(10);
      await until(() => inbox.stats().dead === dead + 1);
      broken = false;
      return runId;
    };
    const before = [await dies(), await dies()];
    await say();
    disk.fill();
    for (let i = 0; i < 10; i += 1) await say();
    const after = [await dies(), await dies()];
    expect(inbox.stats().unsafe).toBe(1);
    for (const newestFirst of [false, true]) {
      const listed: string[] = [];
      for (let last: string | undefined; listed.length < 10; ) {
        const from = last === undefined ? {} : { after: last };
        const [letter] = await inbox.deadLetters({ limit: 1, newestFirst, ...from });
        if (letter === undefined) break;
        last = letter.message.id;
        listed.push(letter.message.runId);
      }
      const ids = [...before, ...after];
      expect(listed).toEqual(newestFirst ? ids.toReversed() : ids);
      expect((await inbox.deadLetters({ limit: 3, newestFirst })).length).toBe(3);
    }
  });

  it("drops repeats, keeps dead letters and reports when all is on disk again", async () => {
    await say();
    disk.fill();
    for (let i = 0; i < 10; i += 1) await say();
    broken = true;
    const dead = await say();
    await until(() => inbox.stats().waiting === 1);
    clock.advance(10);
    await until(() => inbox.stats().dead === 1);
    expect(await inbox.deadLetters()).toMatchObject([{ message: { runId: dead } }]);

    disk.makeRoom();
    clock.advance(30_000);
    await until(() => alarms.length === 2);
    expect(alarms[1]).toEqual({ part: "ledger" });
    expect(inbox.stats().unsafe).toBe(0);
    await inbox.stop();
    const next = await openLedger(disk.path("inbox.db"), { clock });
    expect(await next.claim(100)).toEqual([]);
    expect(await next.deadLetters()).toMatchObject([{ message: { runId: dead } }]);
    await next.close();
  });
});
