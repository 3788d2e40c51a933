import { once } from "node:events";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { createInterface } from "node:readline";
import { createInbox, PermanentError } from "../../src/index.ts";
import { createSqliteLedger } from "../../src/ledger/sqlite/sqlite.ts";

/** What the program has seen. */
export interface FaultReport {
  readonly delivered: number;
  readonly alarms: number;
  /** The alarm was up while the disk was faulty. */
  readonly unsafeUnderFault: boolean;
  readonly safeInTheEnd: boolean;
  /** Of the event loop's delay. */
  readonly p99Ms: number;
  /** How many times the ledger has answered: each answer takes a flush. */
  readonly flushes: number;
}

/**
 * An inbox on a ledger file, for a test that makes the disk fail. Says `ready`, waits for `go`, hands messages over and
 * reports. With `heals` it says `faulty` once its alarm is up, and goes on as it is told that the disk is `healed`.
 */
const [file, mode] = process.argv.slice(2) as [string, "slow" | "heals"];
const input = createInterface({ input: process.stdin });
const said = async () => void (await once(input, "line"));
const say = (line: string) => process.stdout.write(`${line}\n`);

const ledger = createSqliteLedger(file);
let delivered = 0;
let alarms = 0;
let flushes = 0;
const inbox = createInbox({
  ledger,
  deliver({ runId }) {
    if (runId === "dead") throw new PermanentError("no");
    delivered += 1;
  },
});
inbox.alarms$.subscribe(() => (alarms += 1));
await inbox.start();

const hear = (runId: string) =>
  inbox.handle({ runId, sessionKey: runId, seq: 1, state: "final", message: { content: "Words. ".repeat(500) } });

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}

say("ready");
await said();
const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
let unsafeUnderFault = false;
if (mode === "slow") {
  for (let run = 0; run < 20; run += 1) {
    hear(`run-${run}`);
    if (run % 5 !== 0) continue;
    await until(() => delivered > run);
    flushes += 1;
  }
  await until(() => delivered === 20);
} else {
  hear("first");
  await until(() => delivered === 1);
  hear("second");
  hear("third");
  hear("dead");
  await until(() => delivered === 3 && inbox.stats().dead === 1 && alarms === 1);
  unsafeUnderFault = inbox.stats().unsafe === 1;
  say("faulty");
  await said();
  await ledger.flush();
}
delay.disable();
const report: FaultReport = {
  delivered,
  alarms,
  unsafeUnderFault,
  safeInTheEnd: inbox.stats().unsafe === 0,
  p99Ms: delay.percentile(99) / 1e6,
  flushes,
};
say(JSON.stringify(report));
await once(input, "close");
await inbox.stop();
