import { randomInt } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { type InboxError, isInboxError } from "../../src/errors.ts";
import type { ProactiveMessage } from "../../src/types.ts";
import { createRandom } from "../chaos/random.ts";
import { messageOf } from "../ledger/messages.ts";
import { openLedger } from "../ledger/open-ledger.ts";
import { useTemporaryFolder } from "../ledger/temporary-folder.ts";

const inFolder = useTemporaryFolder();
const FLIPS = Number(process.env["FLIPS"] ?? 1_000);
const AT_ONCE = 4;
const seed = Number(process.env["SEED"] ?? randomInt(2 ** 31));

const undelivered = Array.from({ length: 60 }, (_, index) => messageOf(`taken-${index}`, texts(index)));
const delivered = Array.from({ length: 60 }, (_, index) => `delivered-${index}`);

function texts(index: number): Partial<ProactiveMessage> {
  return { sessionKey: `agent:main:${index % 7}`, text: `Words of ${index}. `.repeat(1 + (index % 40)) };
}

/** A ledger file with messages that wait and ids that are known. */
async function makeLedger(file: string): Promise<Buffer> {
  const ledger = await openLedger(file);
  for (const message of undelivered) await ledger.take(message);
  for (const id of delivered) {
    await ledger.take(messageOf(id, { sessionKey: id }));
    ledger.delivered(id, 1);
  }
  await ledger.close();
  return readFileSync(file);
}

type Outcome = { readonly refused: string } | { readonly named: number; readonly repeated: number };

/** Flips one bit and opens the ledger: each message comes as it was, or is named. */
async function tryFlip(whole: Buffer, file: string, bit: number): Promise<Outcome> {
  const damaged = Buffer.from(whole);
  damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7));
  writeFileSync(file, damaged);
  const alarms: InboxError[] = [];
  const trial = `seed ${seed}, bit ${bit}`;
  let ledger: Awaited<ReturnType<typeof openLedger>>;
  try {
    ledger = await openLedger(file, { onAlarm: (error) => error && alarms.push(error) });
  } catch (error) {
    expect(isInboxError(error, "ERR_INBOX_LEDGER"), `${trial}: ${error}`).toBe(true);
    return { refused: String((error as InboxError).details["reason"]) };
  }
  const claimed = new Map((await ledger.claim(1_000)).map(({ message }) => [message.id, message]));
  const named = new Set(alarms.flatMap(({ details }) => (details["ids"] ?? []) as string[]));
  for (const message of undelivered) {
    const found = claimed.get(message.id);
    if (found === undefined)
      expect([...named], `${trial}: ${message.id} is neither there nor named`).toContain(message.id);
    else expect(found, trial).toEqual(message);
    claimed.delete(message.id);
  }
  // Ids that were delivered are no messages any more: one that is not known is heard as new, and has to be named, too.
  expect([...claimed.keys()], trial).toEqual([]);
  let repeated = 0;
  for (const id of delivered) {
    if ((await ledger.take(messageOf(id, { sessionKey: id }))) === "known") continue;
    repeated += 1;
    expect(alarms.length, `${trial}: ${id} is not known, and nothing was said`).toBeGreaterThan(0);
  }
  await ledger.close();
  return { named: named.size, repeated };
}

describe(`${FLIPS} flipped bits in a ledger file`, () => {
  let whole: Buffer;

  beforeAll(() => console.log(`damage: SEED=${seed}`));

  it("end no process and lose no readable message silently", async () => {
    whole = await makeLedger(inFolder("whole.db"));
    const random = createRandom(seed);
    const outcomes: Outcome[] = [];
    const lane = async (name: string) => {
      for (let flip = 0; flip < FLIPS / AT_ONCE; flip += 1)
        outcomes.push(await tryFlip(whole, inFolder(`${name}-${flip}.db`), random.below(whole.length * 8)));
    };
    await Promise.all(Array.from({ length: AT_ONCE }, (_, index) => lane(`lane-${index}`)));
    expect(outcomes).toHaveLength(FLIPS);
    const refused: Record<string, number> = {};
    for (const outcome of outcomes)
      if ("refused" in outcome) refused[outcome.refused] = (refused[outcome.refused] ?? 0) + 1;
    const named = outcomes.reduce((sum, outcome) => sum + ("named" in outcome ? outcome.named : 0), 0);
    console.log(`damage: refused ${JSON.stringify(refused)}, messages named ${named}`);
    // Only the file's first page, of some forty, is beyond help.
    expect(Object.values(refused).reduce((sum, one) => sum + one, 0)).toBeLessThan(FLIPS * 0.1);
  }, 600_000);

  it("are reported with the name of a damaged message", async () => {
    const file = await makeLedger(inFolder("rows.db"));
    const row = file.indexOf("taken-44home");
    for (let bit = (row - 12) * 8; bit < row * 8; bit += 1) await tryFlip(file, inFolder(`row-${bit}.db`), bit);
  }, 60_000);
});
