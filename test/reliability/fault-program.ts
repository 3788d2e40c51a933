import { monitorEventLoopDelay } from "node:perf_hooks";
import { createInterface } from "node:readline";
import { createInbox, PermanentError } from "../../src/index.ts";
import { createSqliteLedger } from "../../src/ledger/sqlite/sqlite.ts";

/** One trial: a ledger file, and what its disk will do. */
export interface FaultTrial {
  readonly file: string;
  /** `"well"`: nothing. `"slow"`: each flush takes its time. `"lasts"`: it fails from now on. `"passes"`: it fails once. */
  readonly disk: "well" | "slow" | "lasts" | "passes";
}

/** What came of a trial. */
export interface FaultReport {
  readonly delivered: number;
  readonly alarms: number;
  /** Whether `unsafe` was 1 while the disk was faulty. */
  readonly unsafeUnderFault: boolean;
  readonly safeInTheEnd: boolean;
  /** Of the event loop's delay. */
  readonly p99Ms: number;
  /** How many times the ledger has answered: each answer takes a flush. */
  readonly flushes: number;
}

/**
 * Inboxes on ledger files, one after another, for a test that makes their disk fail. Reads a trial a line. Of each it says
 * `ready`, waits for a line, hands messages over, and reports. Where the fault lasts it says which runs count as safe once its
 * alarm is up, and goes on at the next line, when the disk is well again.
 */
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const next = async () => (await lines.next()).value as string | undefined;
const say = (what: object | string) =>
  process.stdout.write(`${typeof what === "string" ? what : JSON.stringify(what)}\n`);

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 1));
}

async function run({ file, disk }: FaultTrial): Promise<void> {
  const ledger = createSqliteLedger(file);
  let alarms = 0;
  let flushes = 0;
  const inbox = createInbox({
    ledger,
    deliver({ runId }) {
      if (runId === "dead") throw new PermanentError("no");
    },
  });
  const isDone = (runs: number) => inbox.stats().delivered === runs;
  const safe: string[] = [];
  inbox.alarms$.subscribe(() => (alarms += 1));
  inbox.messages$.subscribe(({ runId }) => inbox.stats().unsafe === 0 && safe.push(runId));
  const hear = (runId: string) =>
    inbox.handle({ runId, sessionKey: runId, seq: 1, state: "final", message: { content: "Words. ".repeat(500) } });
  await inbox.start();
  say("ready");
  await next();

  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  let unsafeUnderFault = false;
  if (disk === "slow") {
    for (let count = 0; count < 20; count += 1) {
      hear(`run-${count}`);
      if (count % 5 !== 0) continue;
      await until(() => inbox.stats().delivered > count);
      flushes += 1;
    }
    await until(() => isDone(20));
  } else {
    hear("first");
    await until(() => isDone(1));
    if (disk === "well") await ledger.flush();
    else {
      for (const runId of ["second", "third", "dead"]) hear(runId);
      await until(() => isDone(3) && inbox.stats().dead === 1 && alarms > 0);
      unsafeUnderFault = inbox.stats().unsafe === 1;
      if (disk === "lasts") {
        say({ safe });
        await next();
      }
      await ledger.flush();
    }
  }
  delay.disable();
  const report: FaultReport = {
    delivered: inbox.stats().delivered,
    alarms,
    unsafeUnderFault,
    safeInTheEnd: inbox.stats().unsafe === 0,
    p99Ms: delay.percentile(99) / 1e6,
    flushes,
  };
  say(report);
  await next();
  await inbox.stop();
  say("stopped");
}

for (let line = await next(); line !== undefined; line = await next()) await run(JSON.parse(line) as FaultTrial);
