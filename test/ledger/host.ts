import { createInterface } from "node:readline";
import { messageOf } from "../helpers/message.ts";
import { openLedger } from "./open-ledger.ts";

/**
 * A process with a ledger, for the tests that need several, or one to kill. It says what it did, a
 * line each, and does what the lines of its input say:
 *
 * - `take ID`: answers `taken ID` or `known ID`
 * - `claim`: answers `claimed ID ID ...`
 * - `deliver ID`: answers `delivered ID` once that is on disk
 * - `revive ID`: answers `revived ID` or `none ID`
 * - `dead ID`: answers `buried ID` once that is on disk
 * - `work PREFIX`: takes and delivers messages without end: `taken ID` once one is on disk,
 *   `reported ID` when it was reported as delivered, `settled ID` once that is on disk
 * - `close`: answers `closed`, and the process ends by itself
 * - `leave`: answers `left`, with the ledger still open, and the process ends by itself
 */
const ledger = await openLedger(process.argv[2] as string);
const say = (line: string) => process.stdout.write(`${line}\n`);
const input = createInterface({ input: process.stdin });

async function workOn(prefix: string): Promise<void> {
  for (let count = 0; ; count += 1) {
    const id = `${prefix}-${count}`;
    if ((await ledger.take(messageOf(id))) === "taken") say(`taken ${id}`);
    if (count % 3 === 0) continue;
    if (count % 3 === 1) ledger.attempted(id, 1, "not yet");
    ledger.delivered(id, 1);
    say(`reported ${id}`);
    await ledger.flush();
    say(`settled ${id}`);
  }
}

const commands: Readonly<Record<string, (id: string) => Promise<void>>> = {
  take: async (id) => void say(`${await ledger.take(messageOf(id))} ${id}`),
  claim: async () => void say(["claimed", ...(await ledger.claim(1_000)).map(({ message }) => message.id)].join(" ")),
  revive: async (id) => void say(`${(await ledger.revive(id)) ? "revived" : "none"} ${id}`),
  deliver: async (id) => {
    ledger.delivered(id, 1);
    await ledger.flush();
    say(`delivered ${id}`);
  },
  dead: async (id) => {
    ledger.dead(id, 1, "no");
    await ledger.flush();
    say(`buried ${id}`);
  },
  work: async (prefix) =>
    void (await Promise.all(Array.from({ length: 8 }, (_, index) => workOn(`${prefix}-${index}`)))),
  leave: async () => {
    input.close();
    process.stdin.destroy();
    say("left");
  },
  close: async () => {
    input.close();
    process.stdin.destroy();
    await ledger.close();
    say("closed");
  },
};

input.on("line", (line) => {
  const [command = "", id = ""] = line.split(" ");
  void commands[command]?.(id);
});
say(`ready ${process.pid}`);
