/** `stop()` at every await of a start that has a backlog, a recovery and a slow delivery in hand. */
import { copyFileSync, existsSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createInbox, type Inbox, type Ledger, type ProactiveMessage, type Source } from "../../src/index.ts";
import { createSqliteLedger } from "../../src/ledger/sqlite/sqlite.ts";
import { createFakeGateway, createTestClock, type FakeGateway, type TestClock } from "../../src/testing/index.ts";
import { useTemporaryFolder } from "../helpers/temporary-folder.ts";
import { turn } from "../helpers/turns.ts";
import { returningSource } from "../recovery/returning-source.ts";

/** Counts the awaits of a start. At the one that is chosen it calls `strike` and keeps the caller waiting. */
interface Gates {
  readonly passed: readonly string[];
  pass<T>(name: string, work: () => T | Promise<T>): Promise<T>;
  /** Lets go of whoever waits. */
  open(): void;
}

function createGates(chosen: number, strike: () => void): Gates {
  const passed: string[] = [];
  const opened = Promise.withResolvers<void>();
  return {
    passed,
    async pass(name, work) {
      passed.push(name);
      if (passed.length === chosen) {
        strike();
        await opened.promise;
      }
      return work();
    },
    open: () => opened.resolve(),
  };
}

/** The ledger with a gate before each answer that somebody waits for. */
function gatedLedger(ledger: Ledger, gates: Gates): Ledger {
  return {
    open: (host) => gates.pass("ledger.open", () => ledger.open(host)),
    take: (message) => gates.pass("ledger.take", () => ledger.take(message)),
    attempted: (...report) => ledger.attempted(...report),
    delivered: (...report) => ledger.delivered(...report),
    dead: (...report) => ledger.dead(...report),
    claim: (limit) => gates.pass("ledger.claim", () => ledger.claim(limit)),
    deadLetters: (page) => ledger.deadLetters(page),
    deadLetter: (id) => ledger.deadLetter(id),
    revive: (id) => ledger.revive(id),
    drop: (id) => ledger.drop(id),
    solicit: (runId, until) => ledger.solicit(runId, until),
    cursor: (name) => gates.pass("ledger.cursor", () => ledger.cursor(name)),
    setCursor: (name, value) => ledger.setCursor(name, value),
    flush: () => ledger.flush(),
    close: () => ledger.close(),
  };
}

function gatedSource(source: Source, gates: Gates): Source {
  const { request } = source;
  return {
    ...source,
    close: () => source.close(),
    open: (listener) => source.open(listener),
    ...(request !== undefined && {
      request: (method, params, options) => gates.pass(method, () => request(method, params, options)),
    }),
  };
}

const SESSION = "agent:main:team";
const OTHER = "agent:main:family";
const inFolder = useTemporaryFolder();
let gateway: FakeGateway;
let clock: TestClock;
const unhandled: unknown[] = [];
const note = (error: unknown) => void unhandled.push(error);

beforeEach(async () => {
  gateway = await createFakeGateway();
  clock = createTestClock(Date.now());
  unhandled.length = 0;
  process.on("unhandledRejection", note);
});

afterEach(async () => {
  process.off("unhandledRejection", note);
  await gateway.close();
});

/**
 * Lets the loop turn, and the clock step, until `holds`. Sockets and files are real, so their turns cannot be counted.
 * Between two steps the loop rests, since a spinning loop would take the time of the ledger's thread.
 */
async function until(holds: () => boolean, what: string): Promise<void> {
  const giveUpAt = performance.now() + 30_000;
  for (let turns = 1; !holds(); turns++) {
    if (performance.now() > giveUpAt) throw new Error(`Never came: ${what}`);
    await turn();
    if (turns % 20 !== 0) continue;
    clock.advance(20);
    await setTimeout(1);
  }
}

/** Settles, or fails: a stop must not wait for what never comes. */
async function inTime(work: Promise<unknown>, what: string): Promise<void> {
  let done = false;
  void work.finally(() => (done = true)).catch(() => {});
  await until(() => done, what);
  await work;
}

/** Makes a ledger with a backlog, and has more said that it does not know. Each start gets a copy of the ledger. */
async function whatIsSaid(file: string): Promise<void> {
  const first = createInbox({
    clock,
    source: returningSource(gateway),
    ledger: file,
    deliver: () => Promise.reject(new Error("not yet")),
  });
  await inTime(first.start(), "the first start");
  gateway.say("backlog one", { sessionKey: SESSION });
  gateway.say("backlog two", { sessionKey: SESSION });
  gateway.say("backlog three", { sessionKey: OTHER });
  await until(() => first.stats().pending === 3, "the backlog");
  await inTime(first.stop({ drainMs: 0 }), "the first stop");
  clock.advance(20_000);
  gateway.say("missed one", { sessionKey: SESSION, origin: "heartbeat" });
  gateway.say("missed two", { sessionKey: OTHER, origin: "cron" });
}

const ALL = ["backlog one", "backlog two", "backlog three", "missed one", "missed two"].sort();

function watched(delivered: Set<string>, file: string, gates: Gates | undefined): Inbox {
  const source = returningSource(gateway);
  const ledger = createSqliteLedger(file);
  return createInbox({
    clock,
    source: gates === undefined ? source : gatedSource(source, gates),
    ledger: gates === undefined ? ledger : gatedLedger(ledger, gates),
    retry: { firstDelayMs: 1 },
    deliver: async ({ text }: ProactiveMessage) => {
      await gates?.pass("deliver", () => {});
      delivered.add(text);
    },
  });
}

/** One start that is stopped at its n-th await; false when it has fewer. */
async function strikeAt(chosen: number): Promise<boolean> {
  const file = inFolder(`ledger-${chosen}`);
  for (const end of ["", "-wal"])
    if (existsSync(inFolder(`said${end}`))) copyFileSync(inFolder(`said${end}`), `${file}${end}`);
  const delivered = new Set<string>();
  let stopped: Promise<void> | undefined;
  const gates = createGates(chosen, () => {
    stopped = inbox.stop({ drainMs: 0 });
  });
  const inbox = watched(delivered, file, gates);
  const started = inbox.start();
  await until(() => stopped !== undefined || delivered.size === ALL.length, `await ${chosen}`);
  const hit = stopped !== undefined;
  // What waits at the gate is let go a few turns later: an answer that comes too late.
  for (let turns = 0; turns < 5; turns++) await turn();
  gates.open();
  await inTime(stopped ?? inbox.stop({ drainMs: 0 }), `the stop at ${gates.passed[chosen - 1]} (${chosen})`);
  await inTime(started, "the start that was stopped");
  for (let turns = 0; turns < 5; turns++) await turn();
  const where = `after a stop at await ${chosen}, ${gates.passed[chosen - 1]}`;
  expect(clock.pending, `timers ${where}`).toBe(0);
  await until(() => gateway.connections().length === 0, `the end of the socket ${where}`);

  const next = watched(delivered, file, undefined);
  await inTime(next.start(), "the next start");
  await until(() => delivered.size === ALL.length, `all that was said, ${where}: ${[...delivered].join(", ")}`);
  expect([...delivered].sort()).toEqual(ALL);
  await inTime(next.stop(), "the last stop");
  expect(clock.pending).toBe(0);
  expect(unhandled).toEqual([]);
  return hit;
}

describe("a stop", () => {
  it("ends a start at every await and loses no message", async () => {
    await whatIsSaid(inFolder("said"));
    let chosen = 1;
    while (await strikeAt(chosen)) chosen += 1;
    expect(chosen).toBeGreaterThan(60);
  }, 120_000);
});
