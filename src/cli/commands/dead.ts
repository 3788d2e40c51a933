import type { Ledger, LedgerEntry } from "../../ledger/ledger.ts";
import { ageText } from "../age.ts";
import { assertNoArgument, onlyArgument } from "../arguments.ts";
import { defineCommand } from "../command.ts";
import { exitCode } from "../exit-code.ts";
import { ledgerOption, visitLedger } from "../ledger.ts";
import { meant } from "../meant.ts";
import { plainLine, plainText } from "../plain-text.ts";
import type { Terminal } from "../terminal.ts";
import { UsageError } from "../usage-error.ts";

/** One action on dead letters. Resolves with the exit code. */
type Action = (ledger: Ledger, ids: Ids, terminal: Terminal) => Promise<number>;

interface Ids {
  readonly positionals: readonly string[];
  readonly all: boolean;
  readonly json: boolean;
}

const actions: ReadonlyMap<string, Action> = new Map([
  ["list", list],
  ["show", show],
  ["retry", retry],
  ["drop", drop],
]);

export const dead = defineCommand({
  usage: [
    "dead list [--json] --ledger FILE",
    "dead show ID --ledger FILE",
    "dead retry ID|--all --ledger FILE",
    "dead drop ID|--all --ledger FILE",
  ],
  about: `Handles dead letters: the messages whose delivery gave up. An inbox may run on the ledger at
the same time.

list   shows ids, sessions, attempts, errors and ages; never the texts
show   shows everything about one of them, with its text
retry  lets the inbox that runs on the ledger, or the next one, deliver it again
drop   deletes its text; its id stays known, so that the message does not come again`,
  options: {
    ledger: ledgerOption,
    all: { type: "boolean", env: false, help: "with retry or drop: every dead letter" },
    json: { type: "boolean", env: false, help: "with list: one line of JSON per dead letter, without its text" },
  },
  async run({ ledger: file, all = false, json = false }, [verb, ...positionals], terminal) {
    const action = actions.get(verb ?? "");
    if (action === undefined)
      throw new UsageError(
        `Expected list, show, retry or drop${verb === undefined ? "" : `, got \`${verb}\`${meant(verb, actions.keys())}`}`,
      );
    if (all && action !== retry && action !== drop) throw new UsageError("Expected --all with retry or drop only");
    if (json && action !== list) throw new UsageError("Expected --json with list only");
    if (file === undefined || file === "") throw new UsageError("Expected the ledger: --ledger FILE");
    return visitLedger(file, (ledger) => action(ledger, { positionals, all, json }, terminal));
  },
});

async function list(ledger: Ledger, { positionals, json }: Ids, terminal: Terminal): Promise<number> {
  assertNoArgument(positionals);
  const now = Date.now();
  const rows: (readonly string[])[] = [];
  for await (const letter of allLetters(ledger)) {
    if (json) await terminal.print(JSON.stringify(jsonOf(letter)));
    else rows.push(rowOf(letter, now));
  }
  if (json) return exitCode.ok;
  if (rows.length === 0) terminal.note("There are no dead letters");
  else await terminal.print(table([["ID", "AGE", "ATTEMPTS", "SESSION", "ERROR"], ...rows]));
  return exitCode.ok;
}

/** Page by page, so that memory never holds all texts at once. */
async function* allLetters(ledger: Ledger): AsyncGenerator<LedgerEntry> {
  let page = await ledger.deadLetters();
  while (page.length > 0) {
    yield* page;
    page = await ledger.deadLetters({ after: page.at(-1)?.message.id as string });
  }
}

async function allIds(ledger: Ledger): Promise<readonly string[]> {
  const ids: string[] = [];
  for await (const { message } of allLetters(ledger)) ids.push(message.id);
  return ids;
}

/** The fields of a dead letter that programs need. Only `show` has its text. */
function jsonOf({ message, attempts, at, error = "" }: LedgerEntry): object {
  const { id, gateway, runId, sessionKey, origin, completedAt } = message;
  return { id, gateway, runId, sessionKey, origin, completedAt, attempts, diedAt: at, error };
}

const MAX_ERROR_CHARS = 120;

function rowOf({ message, attempts, at, error = "" }: LedgerEntry, now: number): readonly string[] {
  const { id, sessionKey } = message;
  return [id, ageText(now - at), String(attempts), plainLine(sessionKey), plainLine(error).slice(0, MAX_ERROR_CHARS)];
}

function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows)
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length);
  const line = (row: readonly string[]) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ");
  return rows.map((row) => line(row).trimEnd()).join("\n");
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
  const ids = all ? await allIds(ledger) : [onlyArgument(positionals, "an ID or --all")];
  let revived = 0;
  for (const id of ids) if (await ledger.revive(id)) revived += 1;
  const [id = ""] = ids;
  if (!all && revived === 0) return unknown(id, terminal);
  terminal.note(`${revived} will be delivered again`);
  return exitCode.ok;
}

async function drop(ledger: Ledger, { positionals, all }: Ids, terminal: Terminal): Promise<number> {
  if (all) assertNoArgument(positionals);
  const ids = all ? await allIds(ledger) : [onlyArgument(positionals, "an ID or --all")];
  let dropped = 0;
  for (const id of ids) if (await ledger.drop(id)) dropped += 1;
  const [id = ""] = ids;
  if (!all && dropped === 0) return unknown(id, terminal);
  terminal.note(`${dropped} dropped`);
  return exitCode.ok;
}

function unknown(id: string, terminal: Terminal): number {
  terminal.note(`openclaw-inbox: There is no dead letter ${id}`);
  return exitCode.failure;
}
