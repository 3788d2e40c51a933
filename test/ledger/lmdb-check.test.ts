import { createHash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { open } from "lmdb";
import { describe, expect, it } from "vitest";
import { isInboxError } from "../../src/errors.ts";
import { createLmdbLedger } from "../../src/ledger/lmdb.ts";
import { messageOf } from "./messages.ts";
import { useTemporaryFolder } from "./temporary-folder.ts";

const inFolder = useTemporaryFolder();

/** The error of opening `file`; it must name the file and leave it as it was. */
function openError(file: string): { reason: unknown; message: string } {
  const before = contentOf(file);
  try {
    createLmdbLedger(file);
  } catch (error) {
    if (!isInboxError(error, "ERR_INBOX_LEDGER")) throw error;
    expect(error.message).toContain(file);
    expect(error.details["file"]).toBe(file);
    expect(contentOf(file)).toBe(before);
    return { reason: error.details["reason"], message: error.message };
  }
  throw new Error("It was opened");
}

function contentOf(file: string): string | undefined {
  try {
    return createHash("sha256").update(readFileSync(file)).digest("hex");
  } catch {
    return undefined;
  }
}

/** A ledger of some hundred pages, closed. */
async function writeLedger(file: string): Promise<Buffer> {
  const ledger = createLmdbLedger(file);
  await Promise.all(
    Array.from({ length: 500 }, (_, index) =>
      ledger.take(messageOf(`m${index}`, { text: "x".repeat((index % 20) * 500) })),
    ),
  );
  await ledger.close();
  return readFileSync(file);
}

/** `bytes` with its pages from `from` to `to` replaced by what `make` gives. */
function withPages(bytes: Buffer, from: number, to: number, make: (page: number) => Buffer): Buffer {
  const changed = Buffer.from(bytes);
  for (let page = from; page < to; page += 1) make(page).copy(changed, page * 4_096);
  return changed;
}

const noise = (page: number) => Buffer.alloc(4_096, `noise ${page} `);

describe("opening a ledger file", () => {
  it("creates it, and opens it again", async () => {
    await writeLedger(inFolder("inbox.lmdb"));
    const ledger = createLmdbLedger(inFolder("inbox.lmdb"));
    expect(await ledger.claim()).toHaveLength(500);
    await ledger.close();
  });

  it.skipIf(process.platform === "win32")(
    "creates it for the eyes of its owner only, and leaves alone what is there",
    async () => {
      const [made, shared] = [inFolder("made.lmdb"), inFolder("shared.lmdb")];
      writeFileSync(shared, "");
      chmodSync(shared, 0o660);
      for (const file of [made, shared]) await createLmdbLedger(file).close();
      expect([made, shared].map((file) => statSync(file).mode & 0o777)).toEqual([0o600, 0o660]);
    },
  );

  it("takes an empty file for a new one", async () => {
    writeFileSync(inFolder("inbox.lmdb"), "");
    const ledger = createLmdbLedger(inFolder("inbox.lmdb"));
    expect(await ledger.take(messageOf("a"))).toBe(true);
    await ledger.close();
  });

  it.each([
    ["a text file", Buffer.from("dear diary\n".repeat(2_000))],
    ["a single byte", Buffer.from("x")],
    ["zeros", Buffer.alloc(16_384)],
  ])("refuses %s as another program's", (_, bytes) => {
    writeFileSync(inFolder("other"), bytes);
    expect(openError(inFolder("other"))).toMatchObject({
      reason: "foreign",
      message: expect.stringContaining("Give another path"),
    });
  });

  it("refuses an LMDB file of another program", async () => {
    const other = open({ path: inFolder("other.mdb"), noSubdir: true, overlappingSync: false });
    await other.openDB({ name: "settings" }).put("colour", "green");
    await other.close();
    expect(openError(inFolder("other.mdb")).reason).toBe("foreign");
  });

  it("refuses an LMDB file of another version of LMDB", async () => {
    const bytes = await writeLedger(inFolder("inbox.lmdb"));
    for (const page of [0, 1]) bytes.writeUInt32LE(1, page * 4_096 + 28);
    writeFileSync(inFolder("old.lmdb"), bytes);
    expect(openError(inFolder("old.lmdb")).reason).toBe("foreign");
  });

  it("refuses a ledger of a newer version of this package", async () => {
    await writeLedger(inFolder("inbox.lmdb"));
    const newer = open({ path: inFolder("inbox.lmdb"), noSubdir: true, overlappingSync: false, encoding: "json" });
    await newer.put("openclaw-inbox", { format: 2 });
    await newer.close();
    expect(openError(inFolder("inbox.lmdb"))).toMatchObject({
      reason: "newer",
      message: expect.stringContaining("newer version"),
    });
  });

  it.each([
    ["cut off in the middle", (bytes: Buffer) => bytes.subarray(0, bytes.length >> 1)],
    ["cut off after its first page", (bytes: Buffer) => bytes.subarray(0, 4_096)],
    ["with its second page overwritten", (bytes: Buffer) => withPages(bytes, 1, 2, noise)],
    ["with pages of zeros", (bytes: Buffer) => withPages(bytes, 20, 60, () => Buffer.alloc(4_096))],
    ["with pages of noise", (bytes: Buffer) => withPages(bytes, 2, bytes.length / 4_096, noise)],
    [
      "with pages in the wrong place",
      (bytes: Buffer) => withPages(bytes, 20, 60, (page) => bytes.subarray((page + 1) * 4_096, (page + 2) * 4_096)),
    ],
  ])("refuses a ledger %s as damaged, where LMDB would end the process", async (_, damage) => {
    writeFileSync(inFolder("broken.lmdb"), damage(await writeLedger(inFolder("inbox.lmdb"))));
    expect(openError(inFolder("broken.lmdb"))).toMatchObject({
      reason: "damaged",
      message: expect.stringContaining("move it away"),
    });
  });

  it("opens a copy of a sound file beside the lock file of another", async () => {
    await writeLedger(inFolder("inbox.lmdb"));
    copyFileSync(inFolder("inbox.lmdb"), inFolder("copy.lmdb"));
    writeFileSync(inFolder("copy.lmdb-lock"), noise(0));
    const ledger = createLmdbLedger(inFolder("copy.lmdb"));
    expect(await ledger.claim()).toHaveLength(500);
    await ledger.close();
  });

  it("says when the folder does not exist, and creates none", () => {
    expect(openError(inFolder("missing/inbox.lmdb"))).toMatchObject({
      reason: "no-folder",
      message: expect.stringContaining("Create the folder"),
    });
    expect(existsSync(inFolder("missing"))).toBe(false);
    writeFileSync(inFolder("file"), "");
    expect(openError(inFolder("file/inbox.lmdb")).reason).toBe("no-folder");
  });

  it("says when there is a folder in place of the file", () => {
    mkdirSync(inFolder("folder"));
    expect(openError(inFolder("folder"))).toMatchObject({ reason: "not-a-file" });
  });

  it("says when it may not read or write the file, or its folder", async () => {
    await writeLedger(inFolder("inbox.lmdb"));
    mkdirSync(inFolder("closed"));
    renameSync(inFolder("inbox.lmdb"), inFolder("closed/inbox.lmdb"));
    chmodSync(inFolder("closed/inbox.lmdb"), 0o400);
    await asOrdinaryUser(() => expect(openError(inFolder("closed/inbox.lmdb")).reason).toBe("no-permission"));
    chmodSync(inFolder("closed"), 0o500);
    await asOrdinaryUser(() => expect(openError(inFolder("closed/new.lmdb")).reason).toBe("no-permission"));
    chmodSync(inFolder("closed"), 0o700);
  });

  it.each(["", "with \0 nul", 7, undefined])("refuses %j as a path", (path) => {
    expect(() => createLmdbLedger(path as string)).toThrow(expect.objectContaining({ code: "ERR_INBOX_OPTION" }));
  });

  it.each([{ retainMs: 0 }, { retainDeadMs: 1.5 }, { leaseMs: 999 }, { maxUnsaved: -1 }])("refuses %j", (options) => {
    const [name, value] = Object.entries(options)[0] as [string, number];
    expect(() => createLmdbLedger(inFolder("inbox.lmdb"), options)).toThrow(
      `Expected \`${name}\` to be an integer >= `,
    );
    expect(() => createLmdbLedger(inFolder("inbox.lmdb"), options)).toThrow(`got \`${value}\` (number)`);
    expect(existsSync(inFolder("inbox.lmdb"))).toBe(false);
  });
});

/** Root may do anything, so where the tests run as root this is done as another user. */
async function asOrdinaryUser(work: () => void): Promise<void> {
  if (process.geteuid?.() !== 0) return work();
  // The folder itself must be theirs, or they could not even look into it.
  chmodSync(inFolder("."), 0o755);
  process.seteuid?.(65_534);
  try {
    work();
  } finally {
    process.seteuid?.(0);
  }
}
