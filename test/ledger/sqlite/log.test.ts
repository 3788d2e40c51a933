import { statSync } from "node:fs";
import { expect, it } from "vitest";
import { messageOf } from "../../helpers/message.ts";
import { useTemporaryFolder } from "../../helpers/temporary-folder.ts";
import { openLedger } from "../open-ledger.ts";

const inFolder = useTemporaryFolder();

it("copies the log into the file before it is large", async () => {
  const file = inFolder("inbox.db");
  const ledger = await openLedger(file);
  const text = "x".repeat(1_000);
  let largest = 0;
  for (let batch = 0; batch < 40; batch += 1) {
    const ids = Array.from({ length: 250 }, (_, n) => `msg_${batch}_${n}`);
    await Promise.all(ids.map((id) => ledger.take(messageOf(id, { text }))));
    for (const id of ids) ledger.delivered(id, 1);
    await ledger.flush();
    largest = Math.max(largest, statSync(`${file}-wal`).size);
  }
  // 20,000 jobs write some 40 MB of pages.
  expect(largest).toBeLessThan(12e6);
  await ledger.close();
  expect(statSync(file).size).toBeGreaterThan(2e6);
});
