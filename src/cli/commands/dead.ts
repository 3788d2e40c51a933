import { existsSync } from "node:fs";
import { InboxError } from "../../errors.ts";
import { systemClock } from "../../kit/clock.ts";
import type { Ledger, LedgerEntry } from "../../ledger/ledger.ts";
import { createLmdbLedger } from "../../ledger/lmdb.ts";
import { ageText } from "../age.ts";
import { assertNoArgument, onlyArgument } from "../arguments.ts";
import { defineCommand } from "../command.ts";
import { exitCode } from "../exit-code.ts";
import { plainLine, plainText } from "../plain-text.ts";
import type { Terminal } from "../terminal.ts";
import { UsageError } from "../usage-error.ts";

/** One thing to do with dead letters; resolves with the exit code. */
type Action = (ledger: Ledger, ids: Ids, terminal: Terminal) => Promise<number>;

interface Ids {
  readonly positionals: readonly string[];
  readonly all: boolean;
}

const actions: ReadonlyMap<string, Action> = new Map([
  ["list", list],
  ["show", show],
  ["retry", retry],
  ["drop", drop],
]);

/** Looks after the messages whose delivery gave up. */
export const dead = defineCommand({
  usage: [
    "dead list --ledger FILE",
    "dead show ID --ledger FILE",
    "dead retry ID|--all --ledger FILE",
    "dead drop ID --ledger FILE",
  ],
  about: `Looks after dead letters: the messages whose delivery gave up. Works while an inbox runs on the
ledger, and while none does.

list   ids, sessions, attempts, errors and ages; never the texts
show   all about one of them, its text too
retry  has it delivered anew, by the inbox that runs on the ledger or the next one to start
drop   forgets its text; its id stays known, so that it does not come again`,
  options: {
    ledger: { type: "string", value: "FILE", help: "the ledger of the inbox" },
    all: { type: "boolean", help: "with retry: every dead letter" },
  },
  async run({ ledger: file, all = false }, [verb, ...positionals], terminal) {
    const action = actions.get(verb ?? "");
    if (action === undefined)
      throw new UsageError(`Expected list, show, retry or drop${verb === undefined ? "" : `, got \`${verb}\``}`);
    if (all && action !== retry) throw new UsageError("Expected --all with retry only");
    if (file === undefined || file === "") throw new UsageError("Expected the ledger: --ledger FILE");
    // Opening would make it.
    if (!existsSync(file)) throw new InboxError("ERR_INBOX_LEDGER", `There is no ledger ${file}`, { file });
    const ledger = createLmdbLedger(file);
    try {
      await ledger.open({ clock: systemClock, ordering: "session", onAlarm() {}, onClaimable() {} });
      return await action(ledger, { positionals, all }, terminal);
    } finally {
      await ledger.close();
    }
  },
});

async function list(ledger: Ledger, { positionals }: Ids, terminal: Terminal): Promise<number> {
  assertNoArgument(positionals);
  const letters = await allLetters(ledger);
  if (letters.length === 0) terminal.note("There are no dead letters");
  else await terminal.print(table(letters, Date.now()));
  return exitCode.ok;
}

async function allLetters(ledger: Ledger): Promise<readonly LedgerEntry[]> {
  const letters: LedgerEntry[] = [];
  for (let page = await ledger.deadLetters(); page.length > 0; ) {
    letters.push(...page);
    page = await ledger.deadLetters({ after: page.at(-1)?.message.id as string });
  }
  return letters;
}

const MAX_ERROR_CHARS = 120;

function table(letters: readonly LedgerEntry[], now: number): string {
  const rows = letters.map(({ message, attempts, at, error = "" }) => [
    message.id,
    ageText(now - at),
    String(attempts),
    plainLine(message.sessionKey),
    plainLine(error).slice(0, MAX_ERROR_CHARS),
  ]);
  const all = [["ID", "AGE", "ATTEMPTS", "SESSION", "ERROR"], ...rows];
  const widths = all[0]?.map((_title, column) => Math.max(...all.map((row) => row[column]?.length ?? 0))) ?? [];
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

async function show(ledger: Ledger, { positionals }: Ids, terminal: Terminal): Promise<number> {
  const id = onlyArgument(positionals, "the ID to show");
  const letter = await ledger.deadLetter(id);
  if (letter === undefined) return unknown(id, terminal);
  const { message, attempts, at, error = "" } = letter;
  const fields = {
    id,
    session: message.sessionKey,
    run: message.runId,
    gateway: message.gateway,
    origin: message.origin,
    completed: new Date(message.completedAt).toISOString(),
    died: `${new Date(at).toISOString()}, after ${attempts} ${attempts === 1 ? "attempt" : "attempts"}`,
    error,
  };
  const lines = Object.entries(fields).map(([name, value]) => `${`${name}:`.padEnd(11)}${plainLine(value)}`);
  await terminal.print(`${lines.join("\n")}\n\n${plainText(message.text)}`);
  return exitCode.ok;
}

async function retry(ledger: Ledger, { positionals, all }: Ids, terminal: Terminal): Promise<number> {
  if (all) assertNoArgument(positionals);
  const ids = all
    ? (await allLetters(ledger)).map(({ message }) => message.id)
    : [onlyArgument(positionals, "an ID or --all")];
  let revived = 0;
  for (const id of ids) if (await ledger.revive(id)) revived += 1;
  const [id = ""] = ids;
  if (!all && revived === 0) return unknown(id, terminal);
  terminal.note(`${revived} to be delivered anew`);
  return exitCode.ok;
}

async function drop(ledger: Ledger, { positionals }: Ids, terminal: Terminal): Promise<number> {
  const id = onlyArgument(positionals, "the ID to drop");
  if (!(await ledger.drop(id))) return unknown(id, terminal);
  terminal.note("1 dropped");
  return exitCode.ok;
}

function unknown(id: string, terminal: Terminal): number {
  terminal.note(`openclaw-inbox: There is no dead letter ${id}`);
  return exitCode.failure;
}
