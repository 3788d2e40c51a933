import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, linkSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, it } from "vitest";
import { createInbox } from "../../../src/index.ts";
import { networkFileSystem } from "../../../src/ledger/sqlite/place.ts";
import { messageOf } from "../../helpers/message.ts";
import { useTemporaryFolder } from "../../helpers/temporary-folder.ts";
import { openLedger } from "../open-ledger.ts";
import { canMount } from "../small-disk.ts";

const inFolder = useTemporaryFolder();

/** A database of somebody else's. */
function makeDatabase(name: string, sql: string): string {
  const db = new DatabaseSync(inFolder(name));
  db.exec(sql);
  db.close();
  return inFolder(name);
}

async function expectRefused(file: string, reason: string): Promise<void> {
  const refused = openLedger(file);
  await expect(refused).rejects.toMatchObject({ code: "ERR_INBOX_LEDGER", details: { file, reason } });
  await expect(refused).rejects.toThrow(`Cannot open the ledger ${file}: `);
}

describe("opening a ledger file", () => {
  it("creates it, readable by its owner only", async () => {
    const ledger = await openLedger(inFolder("inbox.db"));
    for (const name of readdirSync(inFolder(".")))
      expect([name, spawnSync("stat", ["-c", "%a", inFolder(name)], { encoding: "utf8" }).stdout]).toEqual([
        name,
        "600\n",
      ]);
    await ledger.close();
    expect(readdirSync(inFolder("."))).toEqual(["inbox.db"]);
  });

  it("accepts an empty file", async () => {
    writeFileSync(inFolder("inbox.db"), "");
    const ledger = await openLedger(inFolder("inbox.db"));
    expect(await ledger.take(messageOf("a"))).toBe("taken");
    await ledger.close();
  });

  it("refuses a missing folder", () => expectRefused(inFolder("none/inbox.db"), "no-folder"));

  it("refuses a folder in its place", async () => {
    mkdirSync(inFolder("inbox.db"));
    await expectRefused(inFolder("inbox.db"), "not-a-file");
  });

  it.each(["-wal", "-shm"])("refuses a folder in the place of its %s file", async (suffix) => {
    await (await openLedger(inFolder("inbox.db"))).close();
    mkdirSync(inFolder(`inbox.db${suffix}`));
    await expect(openLedger(inFolder("inbox.db"))).rejects.toMatchObject({ code: "ERR_INBOX_LEDGER" });
    expect(existsSync(inFolder(`inbox.db${suffix}`))).toBe(true);
  });

  it("ignores folders and files named like locks", async () => {
    mkdirSync(inFolder("inbox.db-lock"));
    mkdirSync(inFolder("inbox.db-lock-someone"));
    writeFileSync(inFolder("inbox.db-lock-else"), "not a lock", { mode: 0o000 });
    const ledger = await openLedger(inFolder("inbox.db"));
    expect(await ledger.take(messageOf("a"))).toBe("taken");
    await ledger.close();
  });

  it("refuses a file that is no database", async () => {
    writeFileSync(inFolder("inbox.db"), "All work and no play. ".repeat(1_000));
    await expectRefused(inFolder("inbox.db"), "foreign");
    expect(readFileSync(inFolder("inbox.db"), "utf8")).toBe("All work and no play. ".repeat(1_000));
  });

  it("refuses and keeps another program's database", async () => {
    const file = makeDatabase("inbox.db", "create table comments (id, text); insert into comments values (1, 'hello')");
    const before = readFileSync(file);
    await expectRefused(file, "foreign");
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  it("refuses tables of a newer version", async () => {
    await (await openLedger(inFolder("inbox.db"))).close();
    makeDatabase("inbox.db", "pragma user_version = 99");
    await expectRefused(inFolder("inbox.db"), "newer");
  });

  it("refuses a second name of the file by a hard link", async () => {
    await (await openLedger(inFolder("inbox.db"))).close();
    linkSync(inFolder("inbox.db"), inFolder("other.db"));
    await expectRefused(inFolder("other.db"), "hard-link");
    await expectRefused(inFolder("inbox.db"), "hard-link");
  });

  it("opens the same ledger by a symbolic link", async () => {
    mkdirSync(inFolder("shared"));
    symlinkSync(inFolder("shared/inbox.db"), inFolder("linked.db"));
    const byLink = await openLedger(inFolder("linked.db"));
    const byName = await openLedger(inFolder("shared/inbox.db"));
    expect(await byLink.take(messageOf("a"))).toBe("taken");
    expect(await byName.take(messageOf("a"))).toBe("known");
    await byLink.close();
    await byName.close();
    expect(readdirSync(inFolder("shared"))).toEqual(["inbox.db"]);
  });

  it.runIf(canMount())("refuses a file that is mounted by itself", async () => {
    mkdirSync(inFolder("a b"));
    await (await openLedger(inFolder("inbox.db"))).close();
    writeFileSync(inFolder("a b/inbox.db"), "");
    execFileSync("mount", ["--bind", inFolder("inbox.db"), inFolder("a b/inbox.db")]);
    try {
      await expectRefused(inFolder("a b/inbox.db"), "file-mount");
    } finally {
      execFileSync("umount", ["--lazy", inFolder("a b/inbox.db")]);
    }
  });

  it("fails in start() with a remedy", async () => {
    writeFileSync(inFolder("inbox.db"), "Not a database, and not short either. ".repeat(100));
    const inbox = createInbox({ ledger: inFolder("inbox.db") });
    await expect(inbox.start()).rejects.toMatchObject({ code: "ERR_INBOX_LEDGER", details: { reason: "foreign" } });
    await inbox.stop();
  });

  it("takes less than a second with 300,000 messages in it", async () => {
    await (await openLedger(inFolder("inbox.db"))).close();
    const many = `with recursive n(i) as (select 1 union all select i + 1 from n where i < 300000)
insert into messages (id, gateway, session_key, lane, run_id, state, owner, attempts, taken_at, changed_at)
select 'msg_' || i, 'home', 'agent:main:' || (i % 1000), 'home agent:main:' || (i % 1000), 'run' || i, 'delivered', 'x', 1, 1, unixepoch() * 1000 from n`;
    makeDatabase("inbox.db", `pragma synchronous = off; ${many}`);
    // The time of this process, since the disk and the other processors may be busy with something else.
    const before = process.cpuUsage();
    const ledger = await openLedger(inFolder("inbox.db"));
    expect(await ledger.claim(100)).toEqual([]);
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1_000).toBeLessThan(1_000);
    await ledger.close();
  }, 60_000);
});

it("knows network file systems by type, signed or not", () => {
  expect(networkFileSystem({ type: 0x6969 })).toBe("NFS");
  expect(networkFileSystem({ type: 0xff534d42 })).toBe("CIFS");
  expect(networkFileSystem({ type: 0xff534d42 | 0 })).toBe("CIFS");
  expect(networkFileSystem({ type: 0x01021997 })).toBe("9p");
  expect(networkFileSystem({ type: 0x65735546 })).toBe("FUSE");
  // ext4, tmpfs, overlayfs, btrfs, xfs
  for (const type of [0xef53, 0x01021994, 0x794c7630, 0x9123683e, 0x58465342])
    expect(networkFileSystem({ type })).toBeUndefined();
});
