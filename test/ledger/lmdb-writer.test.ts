import { expect, it } from "vitest";
import { openLedgerFile } from "../../src/ledger/lmdb-file.ts";
import { keyOf } from "../../src/ledger/lmdb-key.ts";
import { LedgerWriter } from "../../src/ledger/lmdb-writer.ts";
import { messageOf } from "./messages.ts";
import { useTemporaryFolder } from "./temporary-folder.ts";

const inFolder = useTemporaryFolder();

it("a cursor waits for the messages that were taken before it", async () => {
  const file = openLedgerFile(inFolder("inbox.lmdb"));
  const { cursors } = file.tables;
  let letGo = () => {};
  const gate = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const held: Promise<unknown>[] = [];
  /** The file, but the first write to it takes as long as we like. */
  const slow = {
    ...file,
    write: (start: () => Promise<boolean>) => {
      if (held.length > 0) return file.write(start);
      const first = gate.then(() => file.write(start));
      held.push(first);
      return first;
    },
  };
  const writer = new LedgerWriter({ file: slow, holder: 1, maxUnsaved: 1, now: () => 0, register() {}, onUnsafe() {} });

  const taking = writer.take(messageOf("a"));
  writer.setCursor("session", "after a");
  // Long enough for any write to be done.
  for (let turn = 0; turn < 3; turn += 1) await file.transaction(() => {});
  expect(cursors.get(keyOf("session"))).toBeUndefined();
  expect(writer.cursor("session")).toBe("after a");

  letGo();
  expect(await taking).toBe(true);
  await writer.settled();
  expect(cursors.get(keyOf("session"))?.value).toBe("after a");
  await file.release();
});
