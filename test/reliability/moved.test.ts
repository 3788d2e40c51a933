import { mkdirSync, renameSync, rmSync } from "node:fs";
import { expect, it } from "vitest";
import { type Alarm, createInbox } from "../../src/index.ts";
import { createTestClock } from "../../src/testing/clock.ts";
import { useTemporaryFolder } from "../helpers/temporary-folder.ts";

const inFolder = useTemporaryFolder();

it.each([
  ["deleted", (file: string) => rmSync(file)],
  ["moved", (file: string) => renameSync(file, `${file}-elsewhere`)],
  ["deleted with its folder", () => rmSync(inFolder("data"), { recursive: true })],
])("goes on and raises one alarm while its ledger file is %s", async (_, remove) => {
  mkdirSync(inFolder("data"));
  const file = inFolder("data/inbox.db");
  const clock = createTestClock(1_700_000_000_000);
  const delivered: string[] = [];
  const alarms: Alarm[] = [];
  const open = () => {
    const inbox = createInbox({ ledger: file, clock, deliver: ({ runId }) => void delivered.push(runId) });
    inbox.alarms$.subscribe((alarm) => alarms.push(alarm));
    return inbox;
  };
  let inbox = open();
  const say = async (runId: string) => {
    const { delivered: before, alreadyTaken } = inbox.stats();
    inbox.handle({ runId, sessionKey: runId, seq: 1, state: "final", message: { content: "Words." } });
    while (inbox.stats().delivered + inbox.stats().alreadyTaken === before + alreadyTaken)
      await new Promise(setImmediate);
  };
  await inbox.start();
  await say("before");
  remove(file);
  await say("after");
  expect(delivered).toEqual(["before", "after"]);
  expect(alarms).toMatchObject([{ part: "ledger", error: { details: { reason: "moved" } } }]);
  expect(inbox.stats().unsafe).toBe(1);

  mkdirSync(inFolder("data"), { recursive: true });
  clock.advance(1_000);
  while (inbox.stats().unsafe === 1) await new Promise(setImmediate);
  expect(alarms.slice(1)).toEqual([{ part: "ledger" }]);
  await inbox.stop();
  // Nothing is told twice after a restart.
  inbox = open();
  await inbox.start();
  await say("before");
  await say("after");
  expect(delivered).toEqual(["before", "after"]);
  await inbox.stop();
});
