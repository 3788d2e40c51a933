import { randomInt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { createLmdbLedger } from "../../src/ledger/lmdb.ts";
import { messageOf } from "./messages.ts";
import { startHost } from "./start-host.ts";
import { useTemporaryFolder } from "./temporary-folder.ts";

const inFolder = useTemporaryFolder();
const ROUNDS = 15;

/** The ids that a host spoke of with `word`. */
function idsOf(lines: readonly string[], word: string): string[] {
  return lines.filter((line) => line.startsWith(`${word} `)).map((line) => line.slice(word.length + 1));
}

describe("a ledger whose process is killed at any moment", () => {
  it("has all that was taken on, claims what was not delivered, and nothing that was", async () => {
    const file = inFolder("inbox.lmdb");
    let takenInAll = 0;
    for (let round = 0; round < ROUNDS; round += 1) {
      const host = await startHost(file);
      host.send(`work round${round}`);
      // When it is killed must be chance; how long it worked does not matter.
      await sleep(randomInt(0, 60));
      host.signal("SIGKILL");
      await host.ended;

      const taken = idsOf(host.lines, "taken");
      takenInAll += taken.length;
      const reported = new Set(idsOf(host.lines, "reported"));
      const settled = new Set(idsOf(host.lines, "settled"));
      const ledger = createLmdbLedger(file);
      const claimed = await ledger.claim();
      const claimedIds = claimed.map(({ message }) => message.id);

      expect(taken.filter((id) => !reported.has(id) && !claimedIds.includes(id))).toEqual([]);
      expect(claimedIds.filter((id) => settled.has(id))).toEqual([]);
      expect(new Set(claimedIds).size).toBe(claimedIds.length);
      for (const { message } of claimed) expect(message).toEqual(messageOf(message.id));
      expect(claimedIds.filter((id) => !id.startsWith(`round${round}-`))).toEqual([]);
      for (const id of taken) expect(await ledger.take(messageOf(id))).toBe(false);
      for (const id of claimedIds) ledger.delivered(id, 1);
      await ledger.close();
    }
    expect(takenInAll).toBeGreaterThan(ROUNDS);
  }, 60_000);

  it("can be used by others all the while", async () => {
    const file = inFolder("inbox.lmdb");
    const ledger = createLmdbLedger(file);
    const seen = new Set<string>();
    for (let round = 0; round < 3; round += 1) {
      const hosts = await Promise.all([startHost(file), startHost(file)]);
      for (const [index, host] of hosts.entries()) host.send(`work round${round}-${index}`);
      for (let count = 0; count < 20; count += 1)
        expect(await ledger.take(messageOf(`mine-${round}-${count}`))).toBe(true);
      await sleep(randomInt(0, 40));
      for (const host of hosts) host.signal("SIGKILL");
      await Promise.all(hosts.map((host) => host.ended));
      const claimed = (await ledger.claim()).map(({ message }) => message.id);
      const lines = hosts.flatMap((host) => host.lines);
      const reported = new Set(idsOf(lines, "reported"));
      expect(idsOf(lines, "taken").filter((id) => !reported.has(id) && !claimed.includes(id))).toEqual([]);
      expect(claimed.filter((id) => seen.has(id) || id.startsWith("mine"))).toEqual([]);
      for (const id of claimed) seen.add(id);
    }
    await ledger.close();
  }, 60_000);
});
