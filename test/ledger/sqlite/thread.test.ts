import { Worker } from "node:worker_threads";
import { expect, it, vi } from "vitest";
import type { InboxError } from "../../../src/errors.ts";
import { createTestClock } from "../../../src/testing/clock.ts";
import { messageOf } from "../../helpers/message.ts";
import { useTemporaryFolder } from "../../helpers/temporary-folder.ts";
import { openLedger } from "../open-ledger.ts";

const inFolder = useTemporaryFolder();

it("starts a new thread when the thread has ended", async () => {
  const unref = vi.spyOn(Worker.prototype, "unref");
  const alarms: (InboxError | undefined)[] = [];
  const clock = createTestClock(1_700_000_000_000);
  const ledger = await openLedger(inFolder("inbox.db"), { clock, onAlarm: (error) => alarms.push(error) });
  await ledger.take(messageOf("a", { sessionKey: "a" }));
  const [thread] = unref.mock.contexts as [Worker];
  unref.mockRestore();
  await thread.terminate();
  expect(await ledger.take(messageOf("b", { sessionKey: "b" }))).toBe("taken");
  ledger.delivered("a", 1);
  expect(alarms).toMatchObject([{ code: "ERR_INBOX_LEDGER" }]);
  clock.advance(1_000);
  await ledger.flush();
  expect(alarms.slice(1)).toEqual([undefined]);
  expect(await ledger.take(messageOf("c", { sessionKey: "c" }))).toBe("taken");
  await ledger.close();
  const next = await openLedger(inFolder("inbox.db"));
  expect((await next.claim(10)).map(({ message }) => message.id)).toEqual(["b", "c"]);
  expect(await next.take(messageOf("a"))).toBe("known");
  await next.close();
});
