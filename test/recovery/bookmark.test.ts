import { expect, it } from "vitest";
import { createMemoryLedger } from "../../src/ledger/memory.ts";
import { Bookmark } from "../../src/recovery/bookmark.ts";
import { createTestClock } from "../../src/testing/index.ts";
import { NOON, topic } from "./hearing.ts";

it("does not visit every run in progress for each row", () => {
  const clock = createTestClock(NOON);
  const bookmark = new Bookmark({ gateway: "one", ledger: createMemoryLedger({ clock }), clock, maxSessions: 1 });
  bookmark.lookAtClock(NOON);
  bookmark.beginRound();
  bookmark.endRound(NOON);
  const address = { key: topic(1) };
  let reads = 0;
  const counted = (n: number) => ({
    rowId: `row-${n}`,
    sessionId: "life-1",
    get seq() {
      reads += 1;
      return n;
    },
  });
  for (let n = 0; n < 1_000; n += 1) bookmark.hear(address, { opens: `run-${n}`, before: counted(n) });
  for (let n = 0; n < 1_000; n += 1) bookmark.hear(address, { place: { rowId: `later-${n}`, seq: 1_000 + n } });
  expect(reads).toBeLessThan(10_000);
  bookmark.ended(address, "run-0");
  expect(bookmark.markedPlace(address)?.rowId).toBe("row-1");
  bookmark.stop();
});
