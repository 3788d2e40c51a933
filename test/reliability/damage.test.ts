import { execFileSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type InboxError, isInboxError } from "../../src/errors.ts";
import { type Alarm, createInbox } from "../../src/index.ts";
import type { ProactiveMessage } from "../../src/types.ts";
import { createRandom } from "../chaos/random.ts";
import { messageOf } from "../helpers/message.ts";
import { useTemporaryFolder } from "../helpers/temporary-folder.ts";
import { openLedger } from "../ledger/open-ledger.ts";

const inFolder = useTemporaryFolder();
const FLIPS = Number(process.env["FLIPS"] ?? 200);
const AT_ONCE = 4;
const seed = Number(process.env["SEED"] ?? randomInt(2 ** 31));

const undelivered = Array.from({ length: 60 }, (_, index) => messageOf(`taken-${index}`, texts(index)));
const delivered = Array.from({ length: 60 }, (_, index) => `delivered-${index}`);

function texts(index: number): Partial<ProactiveMessage> {
  return { sessionKey: `agent:main:${index % 7}`, text: `Words of ${index}. `.repeat(1 + (index % 40)) };
}

const SUFFIXES = ["", "-wal", "-shm"] as const;
type Suffix = (typeof SUFFIXES)[number];
/** The files of a ledger. */
type Files = Readonly<Record<Suffix, Buffer>>;

/** A ledger with messages that wait and ids that are known: half of them in the main file, half in its write-ahead log, as a crash leaves it. */
async function makeLedger(file: string): Promise<Files> {
  for (const half of [0, 1]) {
    const ledger = await openLedger(file);
    const isOfHalf = (_: unknown, index: number) => index % 2 === half;
    for (const message of undelivered.filter(isOfHalf)) await ledger.take(message);
    for (const id of delivered.filter(isOfHalf)) {
      await ledger.take(messageOf(id, { sessionKey: id }));
      ledger.delivered(id, 1);
    }
    await ledger.flush();
    // By another process: as this one closes a file, its locks on it are gone.
    for (const suffix of half === 0 ? [] : SUFFIXES) execFileSync("cp", [file + suffix, `${file}-copy${suffix}`]);
    await ledger.close();
  }
  return Object.fromEntries(SUFFIXES.map((suffix) => [suffix, readFileSync(`${file}-copy${suffix}`)])) as Files;
}

function flipped(bytes: Buffer, bit: number): Buffer {
  const damaged = Buffer.from(bytes);
  damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7));
  return damaged;
}

interface Outcome {
  readonly refused?: string;
  /** Of the messages that could not be read. */
  readonly named: number;
  /** Delivered ids that are not known any more. */
  readonly repeated: number;
  /** What the host was told. */
  readonly told: readonly InboxError[];
}

/** Opens the ledger of these files: each message comes as it was, or is named. */
async function tryFiles(files: Files, file: string, trial: string): Promise<Outcome> {
  for (const suffix of SUFFIXES) writeFileSync(file + suffix, files[suffix]);
  const told: InboxError[] = [];
  let counted = 0;
  let ledger: Awaited<ReturnType<typeof openLedger>>;
  const onDamage = (error: InboxError, messages: number) => {
    told.push(error);
    counted += messages;
  };
  try {
    ledger = await openLedger(file, { onDamage });
  } catch (error) {
    expect(isInboxError(error, "ERR_INBOX_LEDGER"), `${trial}: ${error}`).toBe(true);
    return { refused: String((error as InboxError).details["reason"]), named: 0, repeated: 0, told };
  }
  const claimed = new Map((await ledger.claim(1_000)).map(({ message }) => [message.id, message]));
  const named = new Set(told.flatMap(({ details }) => details["ids"] as string[]));
  expect(named.size, trial).toBe(counted);
  for (const message of undelivered) {
    const found = claimed.get(message.id);
    if (found === undefined)
      expect([...named], `${trial}: ${message.id} is neither there nor named`).toContain(message.id);
    else expect(found, trial).toEqual(message);
    claimed.delete(message.id);
  }
  // Ids that were delivered are no messages any more: one that is not known is heard as new, and has to be named, too.
  expect([...claimed.keys()], trial).toEqual([]);
  const answers = await Promise.all(delivered.map((id) => ledger.take(messageOf(id, { sessionKey: id }))));
  const repeated = answers.filter((answer) => answer !== "known").length;
  if (repeated > 0) expect(told.length, `${trial}: ids are not known, and nothing was said`).toBeGreaterThan(0);
  await ledger.close();
  for (const suffix of SUFFIXES) rmSync(file + suffix, { force: true });
  return { named: named.size, repeated, told };
}

describe(`flipped bits in the files of a ledger (SEED=${seed}, FLIPS=${FLIPS})`, () => {
  let whole: Files;

  beforeAll(() => console.log(`damage: SEED=${seed}`));
  beforeEach(async () => {
    whole = await makeLedger(inFolder("whole.db"));
  });

  /** Flips one random bit of a file, many times over. */
  async function flipEach(suffix: Suffix, flips: number): Promise<readonly Outcome[]> {
    const random = createRandom(seed);
    const outcomes: Outcome[] = [];
    const lane = async (name: number) => {
      for (let flip = name; flip < flips; flip += AT_ONCE) {
        const bit = random.below(whole[suffix].length * 8);
        const files = { ...whole, [suffix]: flipped(whole[suffix], bit) };
        const trial = `seed ${seed}, bit ${bit} of inbox.db${suffix}`;
        outcomes.push(await tryFiles(files, inFolder(`${suffix}-${flip}.db`), trial));
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, (_, name) => lane(name)));
    expect(outcomes).toHaveLength(flips);
    return outcomes;
  }

  it("end no process and lose no readable message silently", async () => {
    const outcomes = await flipEach("", Math.ceil(FLIPS / 2));
    const refused = outcomes.filter((outcome) => outcome.refused !== undefined);
    const named = outcomes.reduce((sum, outcome) => sum + outcome.named, 0);
    console.log(`damage: ${refused.length} of ${outcomes.length} refused, messages named ${named}`);
    // Only the file's first page is beyond help.
    expect(refused.length).toBeLessThan(outcomes.length * 0.2);
  }, 600_000);

  it("are mended or found in the write-ahead log", async () => {
    const outcomes = await flipEach("-wal", Math.ceil((FLIPS * 2) / 5));
    // Of a few bits it cannot be told which one was flipped, and a few of those are of the file's first page.
    expect(outcomes.filter(({ refused }) => refused !== undefined).length).toBeLessThan(outcomes.length * 0.03);
    const costly = outcomes.filter(({ named, repeated }) => named + repeated > 0).length;
    console.log(`damage: ${costly} of ${outcomes.length} flipped bits in the log cost a message, which was named`);
    expect(costly).toBeLessThan(outcomes.length * 0.1);
    expect(outcomes.some(({ told }) => told.some(({ message }) => message.includes("damaged in 1 place")))).toBe(true);
  }, 600_000);

  it("do not matter in the index of the write-ahead log", async () => {
    for (const outcome of await flipEach("-shm", Math.ceil(FLIPS / 10)))
      expect(outcome).toEqual({ named: 0, repeated: 0, told: [] });
  }, 600_000);

  it("name the message whose row they begin", async () => {
    const ledger = await openLedger(inFolder("whole.db"));
    await ledger.close();
    const main = readFileSync(inFolder("whole.db"));
    const files = { "": main, "-wal": Buffer.alloc(0), "-shm": Buffer.alloc(0) };
    const row = main.indexOf("taken-44home");
    for (let bit = (row - 12) * 8; bit < row * 8; bit += 1)
      await tryFiles({ ...files, "": flipped(main, bit) }, inFolder(`row-${bit}.db`), `bit ${bit}`);
  }, 60_000);
});

describe("a damaged write-ahead log", () => {
  /** The frames of a log: 24 bytes and a page each, behind 32 bytes. */
  const FRAME = 24 + 4_096;
  const startOf = (frame: number) => 32 + frame * FRAME;
  let whole: Files;

  beforeEach(async () => {
    whole = await makeLedger(inFolder("whole.db"));
  });

  const withLog = (change: (log: Buffer) => Buffer) => ({ ...whole, "-wal": change(Buffer.from(whole["-wal"])) });

  it("is read past a lost page", async () => {
    const frames = Math.floor((whole["-wal"].length - 32) / FRAME);
    for (const frame of [0, 1, Math.floor(frames / 3), Math.floor(frames / 2)]) {
      for (const [from, to] of [
        [0, FRAME],
        [0, 24],
        [24, FRAME],
        [1_000, 1_512],
      ] as const) {
        const files = withLog((log) => log.fill(0xa5, startOf(frame) + from, startOf(frame) + to));
        const { refused, told } = await tryFiles(files, inFolder(`lost-${frame}-${from}-${to}.db`), `frame ${frame}`);
        expect(refused).toBeUndefined();
        expect(told.length).toBeGreaterThan(0);
      }
    }
  }, 120_000);

  it("is read to its last whole commit after a power cut", async () => {
    for (const lost of [1, 100, 4_000, FRAME + 10]) {
      const log = Buffer.from(whole["-wal"]);
      const file = inFolder(`cut-${lost}.db`);
      for (const suffix of SUFFIXES) writeFileSync(file + suffix, whole[suffix]);
      writeFileSync(`${file}-wal`, log.subarray(0, log.length - lost));
      const told: InboxError[] = [];
      const ledger = await openLedger(file, { onDamage: (error) => told.push(error) });
      expect(told).toEqual([]);
      expect((await ledger.claim(1_000)).map(({ message }) => message)).toEqual(expect.arrayContaining(undelivered));
      await ledger.close();
    }
  });

  it("is mended beside a file that only looks like a lock", async () => {
    const file = inFolder("beside.db");
    writeFileSync(`${file}-lock-else`, "not a lock");
    const damaged = withLog((log) => flipped(log, 8 * (startOf(3) + 200)));
    expect(await tryFiles(damaged, file, "beside")).toMatchObject({ named: 0, repeated: 0, told: [{}] });
  });

  it("is left alone while another inbox is open", async () => {
    const file = inFolder("shared.db");
    const one = await openLedger(file);
    for (const message of undelivered) await one.take(message);
    const log = execFileSync("cat", [`${file}-wal`], { maxBuffer: 1e9 });
    // As a reader may see it that reads while it is begun anew.
    writeFileSync(`${file}-wal`, flipped(log, 8 * (startOf(3) + 200)));
    const told: InboxError[] = [];
    const two = await openLedger(file, { onDamage: (error) => told.push(error) });
    expect(await two.take(undelivered[0] as ProactiveMessage)).toBe("known");
    await two.close();
    await one.close();
    expect(told).toEqual([]);
  });

  it("is mended once by inboxes that start together", async () => {
    const file = inFolder("together.db");
    const files = withLog((log) => flipped(log, 8 * (startOf(3) + 200)));
    for (const suffix of SUFFIXES) writeFileSync(file + suffix, files[suffix]);
    const told: InboxError[] = [];
    const ledgers = await Promise.all([1, 2, 3].map(() => openLedger(file, { onDamage: (error) => told.push(error) })));
    expect(told).toHaveLength(1);
    const claims = await Promise.all(ledgers.map((ledger) => ledger.claim(1_000)));
    expect(claims.flat()).toHaveLength(undelivered.length);
    for (const ledger of ledgers) await ledger.close();
  });
});

describe("an inbox on a damaged ledger", () => {
  it("delivers what can be read and counts the rest", async () => {
    const file = inFolder("inbox.db");
    const before = await openLedger(file);
    for (const runId of ["a", "b", "c", "dead"]) await before.take(messageOf(runId, { sessionKey: runId }));
    before.dead("dead", 3, "no");
    await before.close();
    const db = new DatabaseSync(file);
    db.exec("update messages set body = replace(body, 'text of', 'text if') where id in ('b', 'dead')");
    db.close();

    const texts: string[] = [];
    const alarms: Alarm[] = [];
    const inbox = createInbox({ ledger: file, deliver: ({ text }) => void texts.push(text) });
    inbox.alarms$.subscribe((alarm) => alarms.push(alarm));
    await inbox.start();
    while (inbox.stats().delivered < 2) await new Promise(setImmediate);
    expect(await inbox.deadLetters()).toEqual([]);
    expect(await inbox.deadLetters()).toEqual([]);
    expect(inbox.stats()).toMatchObject({ damaged: 2, unsafe: 0, delivered: 2, dead: 0 });
    expect(alarms.map(({ error }) => error?.details["ids"])).toEqual([["b"], undefined, ["dead"], undefined]);
    await inbox.stop();
    expect(texts.sort()).toEqual(["a", "c"].map((id) => messageOf(id).text));
  });
});
