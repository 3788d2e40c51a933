import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createFakeGateway, createTestClock } from "../../src/testing/index.ts";
import { messageOf } from "../helpers/message.ts";
import { type OwnPostgres, startPostgres } from "../helpers/postgres.ts";
import { startRedis, type TestRedis } from "../helpers/redis.ts";
import { openLedger } from "../ledger/open-ledger.ts";
import { check, countDisordered, type Tally } from "./checker.ts";
import { createDoneIds, readEffects } from "./effects.ts";
import { createEmitter, type Sent } from "./emitter.ts";
import { createFaultyWire, type FaultyWire } from "./faulty-wire.ts";
import type { HostOptions } from "./host.ts";
import { createLives, type Ends, type Lives } from "./lives.ts";
import { FAULTS, type Mode } from "./modes.ts";
import { type Place, type PostgresView, viewPostgres } from "./postgres.ts";
import { createRandom, type Random } from "./random.ts";

/** How far a trial is. */
export interface TrialProgress {
  readonly sent: number;
  readonly done: number;
  readonly killed: number;
}

/** What a trial came to. */
export interface Verdict extends Tally {
  /** Effects that came before that of an earlier message of their session. Counted on Postgres only. */
  readonly disordered: number;
  /** Messages that a ledger still holds: they would be handed over again, or never. */
  readonly left: number;
  readonly faults: FaultyWire["counts"];
  readonly ends: Ends;
  /** Sums of the counters of the hosts that were stopped. */
  readonly alreadyTaken: number;
  readonly recovered: number;
  /** What must not be, in words. */
  readonly troubles: readonly string[];
}

/** What to try, and how much of it. */
export interface TrialOptions {
  readonly mode: Mode;
  readonly seed: number;
  readonly runs: number;
  readonly kills: number;
  /** How often the server of the ledger is stopped, and a host stands still. */
  readonly halts: number;
  readonly pauses: number;
  /** Where the ledgers and the handlers' files go. */
  readonly folder: string;
  /** Have the hosts log to stderr. */
  readonly log: boolean;
  readonly onProgress: (progress: TrialProgress) => void;
}

/** After so long without a message more, what is missing counts as lost. */
const PATIENCE_MS = 90_000;
/** A Gateway says no more than people read: without a bound, every answer would queue behind megabytes of events. */
const MOST_AHEAD = 1_000;
/** So long after the last message, a second one of any would have come. */
const AFTERMATH_MS = 2_500;
/**
 * Longer than any trial: what is forgotten may come again. A host that is killed over and over may not
 * catch up in all that time, and reads on from before it.
 */
const RETAIN_MS = 86_400_000;

/** A folder for one trial; `remove` it unless it is wanted as evidence. */
export function makeFolder(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), "chaos-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** Runs one trial. Undefined when it needs a Redis and there is none. */
export async function runTrial(options: TrialOptions): Promise<Verdict | undefined> {
  const { mode, seed } = options;
  const redis = mode.shares === "queue" ? await startRedis("THE CHAOS MODE queue") : undefined;
  if (mode.shares === "queue" && redis === undefined) return undefined;
  const postgres = mode.shares === "postgres" ? await startPostgres("THE CHAOS MODES ON POSTGRES") : undefined;
  if (mode.shares === "postgres" && postgres === undefined) return undefined;
  const place = postgres && { url: postgres.url, schema: postgres.schema() };
  const view = place && (await viewPostgres(place));
  const random = createRandom(seed);
  const gateway = await createFakeGateway();
  const wire = await createFaultyWire(gateway.url, { ...FAULTS, ...mode.faults }, random.fork("wire"));
  try {
    const emitter = createEmitter(gateway, random.fork("emitter"), mode.sessions);
    const ledgers = view === undefined ? await makeLedgers(options) : Array.from({ length: mode.hosts }, () => "");
    const hosts = ledgers.map((ledger, index) => {
      const host = hostOptions(options, ledger, redis, place);
      return createLives(
        `host${index + 1}`,
        { ...host, url: wire.url, token: gateway.token },
        gateway,
        random.fork(`host ${index}`),
      );
    });
    await Promise.all(hosts.map((host) => host.begin()));
    await play(options, emitter, hosts, postgres, random.fork("trouble"), mode.transactional ? view : undefined);
    await Promise.all(hosts.map((host) => host.finish()));
    return await verdict(options, emitter.sent, hosts, wire, view ?? [...new Set(ledgers)]);
  } finally {
    await wire.close();
    await gateway.close();
    await redis?.stop();
    await view?.close();
    await postgres?.stop();
  }
}

/** The ledger of each host. Where hosts are killed, it begins with much that is to be forgotten in time. */
async function makeLedgers({ mode, kills, folder }: TrialOptions): Promise<readonly string[]> {
  mkdirSync(join(folder, "ledgers"));
  const own = mode.shares === "queue";
  const files = Array.from({ length: mode.hosts }, (_, index) => join(folder, "ledgers", `${own ? index : 0}.db`));
  if (kills > 0) for (const file of new Set(files)) await fillWithOld(file, kills);
  return files;
}

/** Delivered ids that come of age one after the other, 200 of them, within 6 seconds, for each of the `lives`. */
async function fillWithOld(file: string, lives: number): Promise<void> {
  const clock = createTestClock(Date.now() - RETAIN_MS);
  const ledger = await openLedger(file, { clock, retainMs: 2 * RETAIN_MS });
  for (let step = 0; step < lives * 2; step += 1) {
    const ids = Array.from({ length: 100 }, (_, index) => `old-${step}-${index}`);
    await Promise.all(ids.map((id) => ledger.take(messageOf(id))));
    for (const id of ids) {
      ledger.delivered(id, 1);
      clock.advance(30);
    }
    await ledger.flush();
  }
  await ledger.close();
}

function hostOptions(
  { mode, folder, seed, kills, halts, log }: TrialOptions,
  ledger: string,
  redis: TestRedis | undefined,
  place: Place | undefined,
): Omit<HostOptions, "life" | "die" | "url" | "token"> {
  const dies = kills > 0;
  return {
    folder,
    ledger,
    seed,
    log,
    idempotent: dies,
    failRate: 0.02,
    hasty: dies && place === undefined,
    retainMs: RETAIN_MS,
    ...(place && { postgres: { ...place, transactional: mode.transactional ?? false, halts: halts > 0 } }),
    ...(redis && { redis: { url: redis.url, queue: `chaos-${seed}-${process.pid}` } }),
  };
}

/** Says everything, kills whom it must, and waits until all was handed over or nothing more comes. */
async function play(
  { mode, runs, kills, halts, pauses, folder, onProgress }: TrialOptions,
  emitter: ReturnType<typeof createEmitter>,
  hosts: readonly Lives[],
  postgres: OwnPostgres | undefined,
  random: Random,
  view: PostgresView | undefined,
): Promise<void> {
  const doneIds = view === undefined ? createDoneIds(folder) : () => view.done;
  let killsLeft = kills;
  const mayDie = () => killsLeft-- > 0;
  let dying = true;
  const tell = () =>
    onProgress({ sent: emitter.sent.size, done: doneIds().size, killed: kills - Math.max(0, killsLeft) });
  const telling = setInterval(tell, 500);
  const troubles = [
    ...hosts.map((host) => host.dieOn(mayDie)),
    haltOften(halts, postgres, random.fork("halts")),
    pauseOften(pauses, hosts, random.fork("pauses")),
  ];
  const deaths = Promise.all(troubles).then(() => {
    dying = false;
  });
  // A host that ended by itself is a verdict already.
  const inTrouble = () => hosts.some(({ troubles }) => troubles.length > 0);
  const goOn = (started: number) => !inTrouble() && (started < runs || dying);
  await emitter.emit(mode.perSecond, goOn, () => emitter.sent.size - doneIds().size > MOST_AHEAD);
  await deaths;
  const missing = () => {
    const done = doneIds();
    return [...emitter.sent.keys()].some((id) => !done.has(id));
  };
  for (let quietSince = Date.now(), before = 0; missing() && !inTrouble() && Date.now() - quietSince < PATIENCE_MS; ) {
    await sleep(200);
    const { size } = doneIds();
    if (size !== before) quietSince = Date.now();
    before = size;
  }
  await sleep(AFTERMATH_MS);
  clearInterval(telling);
  tell();
}

/** Stops the server as a crash does, and starts it again. */
async function haltOften(times: number, postgres: OwnPostgres | undefined, random: Random): Promise<void> {
  for (let left = times; left > 0 && postgres !== undefined; left -= 1) {
    await sleep(1_000 + random.below(6_000));
    await postgres.halt();
    await sleep(random.below(500));
    await postgres.resume();
  }
}

/** A host stands still: shorter and longer than it takes the others to see that somebody is dead. */
async function pauseOften(times: number, hosts: readonly Lives[], random: Random): Promise<void> {
  for (let left = times; left > 0; left -= 1) {
    await sleep(500 + random.below(2_000));
    await random.pick(hosts).pause(random.pick([100, 1_000, 4_000]));
  }
}

async function verdict(
  { folder, mode }: TrialOptions,
  sent: Sent,
  hosts: readonly Lives[],
  wire: FaultyWire,
  ledgers: readonly string[] | PostgresView,
): Promise<Verdict> {
  const killed = new Set(hosts.flatMap((host) => [...host.killed]));
  const ends: Record<string, number> = {};
  for (const host of hosts) for (const [end, times] of Object.entries(host.ends)) ends[end] = (ends[end] ?? 0) + times;
  const sum = (counter: string) => hosts.reduce((total, host) => total + (host.stats()[counter] ?? 0), 0);
  const isShared = "sessions" in ledgers;
  const files = readEffects(folder);
  const effects = isShared && mode.transactional ? new Map([...files, ...(await withFiles(ledgers, files))]) : files;
  return {
    ...check(sent, effects, killed),
    disordered: isShared ? countDisordered(await ledgers.sessions(), effects) : 0,
    left: isShared ? await ledgers.left() : await countLeft(ledgers),
    faults: wire.counts,
    ends,
    alreadyTaken: sum("alreadyTaken"),
    recovered: sum("recovered"),
    troubles: hosts.flatMap((host) => host.troubles),
  };
}

/** What transactional handlers did: that they began is in their files, what they did in the database. */
async function withFiles(
  view: PostgresView,
  files: ReturnType<typeof readEffects>,
): Promise<ReturnType<typeof readEffects>> {
  const effects = await view.effects();
  return new Map([...effects].map(([life, lines]) => [life, [...(files.get(life) ?? []), ...lines]]));
}

async function countLeft(files: readonly string[]): Promise<number> {
  let left = 0;
  for (const file of files) {
    const ledger = await openLedger(file);
    left += (await ledger.claim(1_000_000)).length + (await ledger.deadLetters({ limit: 1_000_000 })).length;
    await ledger.close();
  }
  return left;
}
