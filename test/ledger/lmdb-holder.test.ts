import { open } from "lmdb";
import { describe, expect, it } from "vitest";
import { createLmdbLedger, type LmdbLedger } from "../../src/ledger/lmdb.ts";
import { createTestClock } from "../../src/testing/clock.ts";
import { messageOf } from "./messages.ts";
import { startHost } from "./start-host.ts";
import { useTemporaryFolder } from "./temporary-folder.ts";

const inFolder = useTemporaryFolder();

async function claimedIds(ledger: LmdbLedger): Promise<string[]> {
  return (await ledger.claim()).map(({ message }) => message.id);
}

describe("several ledgers on one file", () => {
  it("take each message once between them", async () => {
    const ledgers = [0, 1, 2].map(() => createLmdbLedger(inFolder("inbox.lmdb")));
    const ids = Array.from({ length: 100 }, (_, index) => `m${index}`);
    const answers = await Promise.all(
      ids.flatMap((id) => ledgers.map(async (ledger) => ((await ledger.take(messageOf(id))) ? [id] : []))),
    );
    expect(answers.flat().sort()).toEqual(ids.sort());
    await Promise.all(ledgers.map((ledger) => ledger.close()));
  });

  it("leave each other what the other has taken", async () => {
    const [a, b] = [createLmdbLedger(inFolder("inbox.lmdb")), createLmdbLedger(inFolder("inbox.lmdb"))];
    await a.take(messageOf("a"));
    expect(await b.claim()).toEqual([]);
    b.delivered("a", 1);
    b.dead("a", 1, "not mine");
    await b.flush();
    expect(await b.deadLetters()).toEqual([]);
    await a.close();
    expect(await b.claim()).toEqual([{ message: messageOf("a"), state: "taken", attempts: 0, at: expect.any(Number) }]);
    await b.close();
  });

  it("find what another gave up by closing, with its attempts and error, in the order it was taken", async () => {
    const clock = createTestClock(1_700_000_000_000);
    const [a, b] = [
      createLmdbLedger(inFolder("inbox.lmdb"), { clock }),
      createLmdbLedger(inFolder("inbox.lmdb"), { clock }),
    ];
    const ids = Array.from({ length: 1_200 }, (_, index) => `m${(index * 7_919) % 1_200}`);
    for (const id of ids) void a.take(messageOf(id));
    await a.flush();
    a.attempted("m0", 3, "not yet");
    const at = clock.now();
    clock.advance(10_000);
    await a.close();
    const claimed = await b.claim();
    expect(claimed.map(({ message }) => message.id)).toEqual(ids);
    expect(claimed[0]).toEqual({ message: messageOf("m0"), state: "taken", attempts: 3, error: "not yet", at });
    expect(await b.claim()).toEqual([]);
    await b.close();
  });

  it("share out what several claim at once, each entry to exactly one", async () => {
    const first = createLmdbLedger(inFolder("inbox.lmdb"));
    const ids = Array.from({ length: 1_500 }, (_, index) => `m${index}`);
    await Promise.all(ids.map((id) => first.take(messageOf(id))));
    await first.close();
    const hosts = await Promise.all([startHost(inFolder("inbox.lmdb")), startHost(inFolder("inbox.lmdb"))]);
    const ledgers = [createLmdbLedger(inFolder("inbox.lmdb")), createLmdbLedger(inFolder("inbox.lmdb"))];
    const claims = await Promise.all([
      ...ledgers.map(claimedIds),
      ...hosts.map(async (host) => (await host.ask("claim")).split(" ").slice(1)),
    ]);
    expect(claims.flat().sort()).toEqual(ids.sort());
    await Promise.all(ledgers.map((ledger) => ledger.close()));
  });

  it("find what a killed process had taken, without being restarted, and nothing of one that lives", async () => {
    const ledger = createLmdbLedger(inFolder("inbox.lmdb"));
    const [dying, living] = await Promise.all([startHost(inFolder("inbox.lmdb")), startHost(inFolder("inbox.lmdb"))]);
    expect(await dying.ask("take a")).toBe("taken a");
    expect(await living.ask("take b")).toBe("taken b");
    expect(await living.ask("take a")).toBe("known a");
    expect(await ledger.claim()).toEqual([]);
    dying.signal("SIGKILL");
    await dying.ended;
    expect(await claimedIds(ledger)).toEqual(["a"]);
    expect(await living.ask("claim")).toBe("claimed");
    await ledger.close();
  });

  it("never rob a process that is stopped but alive, however long it was not heard of", async () => {
    const clock = createTestClock(Date.now());
    const ledger = createLmdbLedger(inFolder("inbox.lmdb"), { clock });
    const host = await startHost(inFolder("inbox.lmdb"));
    await host.ask("take a");
    host.signal("SIGSTOP");
    clock.advance(86_400_000);
    expect(await ledger.claim()).toEqual([]);
    host.signal("SIGCONT");
    await ledger.close();
  });

  it("hand a letter that another process revived to the inbox that runs, once that process has closed", async () => {
    const running = createLmdbLedger(inFolder("inbox.lmdb"));
    await running.take(messageOf("a"));
    running.dead("a", 10, "no");
    await running.flush();
    const cli = await startHost(inFolder("inbox.lmdb"));
    expect(await cli.ask("revive a")).toBe("revived a");
    expect(await running.claim()).toEqual([]);
    expect(await cli.ask("close")).toBe("closed");
    expect(await cli.ended).toBe(0);
    expect(await running.claim()).toMatchObject([{ message: messageOf("a"), state: "taken", attempts: 0 }]);
    running.delivered("a", 1);
    await running.close();
  });
});

describe("where the process table cannot tell", () => {
  /** Changes what every holder in the file says of itself, as another process would: at any moment, and at once. */
  function changeHolders(file: string, change: object): void {
    const root = open({ path: file, noSubdir: true, overlappingSync: false });
    const holders = root.openDB<object, number>({ name: "holders", encoding: "json" });
    for (const { key, value } of [...holders.getRange()]) holders.putSync(key, { ...value, ...change });
    void root.close();
  }

  it("a holder is left alone until its lease is over, then its entries are claimed", async () => {
    const clock = createTestClock(1_700_000_000_000);
    const holder = createLmdbLedger(inFolder("inbox.lmdb"), { clock, leaseMs: 60_000 });
    await holder.take(messageOf("a"));
    await holder.take(messageOf("b"));
    changeHolders(inFolder("inbox.lmdb"), { place: "another machine" });
    const other = createLmdbLedger(inFolder("inbox.lmdb"), { clock: createTestClock(clock.now() + 60_000) });
    expect(await other.claim()).toEqual([]);
    const later = createLmdbLedger(inFolder("inbox.lmdb"), { clock: createTestClock(clock.now() + 60_001) });
    expect(await claimedIds(later)).toEqual(["a", "b"]);
    expect(await claimedIds(other)).toEqual([]);

    // It was alive all the time. That it delivered "a" counts, that it gave up "b" does not.
    holder.delivered("a", 1);
    holder.dead("b", 1, "no");
    await holder.flush();
    await holder.close();
    expect(await later.deadLetters()).toEqual([]);
    await later.close();
    expect(await claimedIds(other)).toEqual(["b"]);
    expect(await other.take(messageOf("a"))).toBe(false);
    await other.close();
  });

  it.runIf(process.platform === "linux")("a process is not taken for another that had its pid before", async () => {
    const [gone, ledger] = [createLmdbLedger(inFolder("inbox.lmdb")), createLmdbLedger(inFolder("inbox.lmdb"))];
    await gone.take(messageOf("a"));
    expect(await ledger.claim()).toEqual([]);
    changeHolders(inFolder("inbox.lmdb"), { startedAt: "1" });
    expect(await claimedIds(ledger)).toEqual(["a"]);
    await ledger.close();
    await gone.close();
  });

  it("a holder that makes itself heard keeps its entries", async () => {
    const clock = createTestClock(1_700_000_000_000);
    const holder = createLmdbLedger(inFolder("inbox.lmdb"), { clock, leaseMs: 60_000 });
    await holder.take(messageOf("a"));
    clock.advance(600_000);
    await holder.flush();
    changeHolders(inFolder("inbox.lmdb"), { place: "another machine" });
    const other = createLmdbLedger(inFolder("inbox.lmdb"), {
      clock: createTestClock(clock.now() + 30_000),
      leaseMs: 60_000,
    });
    expect(await other.claim()).toEqual([]);
    await other.close();
    await holder.close();
  });
});

describe("a ledger that is closed", () => {
  it("takes nothing more, answers with an error, and ignores reports", async () => {
    const ledger = createLmdbLedger(inFolder("inbox.lmdb"));
    await ledger.take(messageOf("a"));
    await ledger.close();
    const stopped = expect.objectContaining({ code: "ERR_INBOX_STOPPED" });
    await expect(ledger.take(messageOf("b"))).rejects.toEqual(stopped);
    await expect(ledger.claim()).rejects.toEqual(stopped);
    await expect(ledger.deadLetters()).rejects.toEqual(stopped);
    await expect(ledger.revive("a")).rejects.toEqual(stopped);
    await expect(ledger.drop("a")).rejects.toEqual(stopped);
    ledger.delivered("a", 1);
    ledger.setCursor("name", "value");
    expect(ledger.cursor("name")).toBeUndefined();
    const again = createLmdbLedger(inFolder("inbox.lmdb"));
    expect(await claimedIds(again)).toEqual(["a"]);
    await again.close();
  });

  it.each(["close", "leave"])("keeps no process alive, idle and told to %s", async (command) => {
    const host = await startHost(inFolder("inbox.lmdb"));
    expect(await host.ask("take a")).toBe("taken a");
    await host.ask(command);
    expect(await host.ended).toBe(0);
  });
});
