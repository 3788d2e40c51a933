import { execFileSync } from "node:child_process";
import { DatabaseSync } from "node:sqlite";
import { expect, it } from "vitest";
import { createTestClock } from "../../../src/testing/index.ts";
import { messageOf } from "../../helpers/message.ts";
import { useTemporaryFolder } from "../../helpers/temporary-folder.ts";
import { openLedger } from "../open-ledger.ts";

const inFolder = useTemporaryFolder();
const PAGE_BYTES = 4_096;

it("writes no cursor behind a message that a damaged page keeps in memory", async () => {
  const file = inFolder("inbox.db");
  await makeLarge(file);
  const ledger = await openLedger(file, { clock: createTestClock(1_800_000_000_000) });
  damage(file, "sqlite_autoindex_messages_1");
  const taking = ledger.take(messageOf("run-1"));
  ledger.setCursor("heard", "up to run-1");
  expect(await taking).toBe("taken");
  await ledger.cursor("heard");
  expect(cursorsIn(file)).toBe("0");
  await ledger.close();
});

/** Files of this size are not checked when they are opened. */
async function makeLarge(file: string): Promise<void> {
  const ledger = await openLedger(file);
  await ledger.take(messageOf("large"));
  await ledger.close();
  const db = new DatabaseSync(file);
  db.exec("update messages set state = 'delivered', body = zeroblob(70 * 1048576); pragma wal_checkpoint(truncate)");
  db.close();
}

/** Writes zeros over the first page of an index. Another process does it: as this one closes a file, its locks on it are gone. */
function damage(file: string, index: string): void {
  const root = sql(file, `select rootpage from sqlite_schema where name = '${index}'`);
  const at = `seek=${Number(root) - 1}`;
  execFileSync("dd", ["if=/dev/zero", `of=${file}`, `bs=${PAGE_BYTES}`, at, "count=1", "conv=notrunc"], {
    stdio: "ignore",
  });
}

function cursorsIn(file: string): string {
  return sql(file, "select count(*) from bookmarks");
}

/** What a statement returns, read by another process. */
function sql(file: string, statement: string): string {
  const program = `const { DatabaseSync } = require("node:sqlite");
    console.log(Object.values(new DatabaseSync(process.argv[1], { readOnly: true }).prepare(process.argv[2]).get())[0])`;
  return String(
    execFileSync(process.execPath, ["-e", program, file, statement], { stdio: ["ignore", "pipe", "ignore"] }),
  ).trim();
}
