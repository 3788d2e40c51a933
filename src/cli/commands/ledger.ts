import { existsSync } from "node:fs";
import { InboxError } from "../../errors.ts";
import { FileLook } from "../../ledger/sqlite/look.ts";
import { ageText } from "../age.ts";
import { assertNoArgument, onlyArgument } from "../arguments.ts";
import { defineCommand } from "../command.ts";
import { exitCode } from "../exit-code.ts";
import { isDatabase } from "../ledger.ts";
import { meant } from "../meant.ts";
import { plainLine } from "../plain-text.ts";
import type { Terminal } from "../terminal.ts";
import { UsageError } from "../usage-error.ts";

/** One action on a ledger file. Resolves with the exit code. */
type Action = (look: FileLook, positionals: readonly string[], terminal: Terminal) => Promise<number>;

const actions: ReadonlyMap<string, Action> = new Map([
  ["check", check],
  ["backup", backup],
  ["stats", stats],
]);

export const ledger = defineCommand({
  usage: ["ledger check --ledger FILE", "ledger backup COPY --ledger FILE", "ledger stats --ledger FILE"],
  about: `Reads a ledger file and changes nothing in it. An inbox may run on the file at the same time.

check   reads all of it and names each message that cannot be read; exit code 1 if there is one
backup  writes a complete copy, as the ledger is at this moment
stats   counts the messages in each state`,
  options: {
    ledger: { type: "string", value: "FILE", help: "the ledger of the inbox" },
  },
  async run({ ledger: file }, [verb, ...positionals], terminal) {
    const action = actions.get(verb ?? "");
    if (action === undefined)
      throw new UsageError(
        `Expected check, backup or stats${verb === undefined ? "" : `, got \`${verb}\`${meant(verb, actions.keys())}`}`,
      );
    if (file === undefined || file === "") throw new UsageError("Expected the ledger: --ledger FILE");
    if (isDatabase(file)) throw new UsageError("Expected a file; for a ledger in Postgres use pg_dump and psql");
    if (!existsSync(file)) throw new InboxError("ERR_INBOX_LEDGER", `There is no ledger ${file}`, { file });
    // Node 22 warns that SQLite is experimental. The user can do nothing about that.
    process.removeAllListeners("warning");
    const look = new FileLook(file);
    try {
      return await action(look, positionals, terminal);
    } finally {
      look.close();
    }
  },
});

async function check(look: FileLook, positionals: readonly string[], terminal: Terminal): Promise<number> {
  assertNoArgument(positionals);
  const { messages, problems, unreadable } = look.check();
  for (const problem of problems) await terminal.print(plainLine(problem));
  for (const id of unreadable) await terminal.print(`message ${plainLine(id)} cannot be read`);
  const isWhole = problems.length === 0 && unreadable.length === 0;
  terminal.note(isWhole ? `${messages} messages, all is well` : `${messages} messages; the file is damaged`);
  return isWhole ? exitCode.ok : exitCode.failure;
}

async function backup(look: FileLook, positionals: readonly string[], terminal: Terminal): Promise<number> {
  const copy = onlyArgument(positionals, "the file to write");
  look.backup(copy);
  terminal.note(`Copied to ${plainLine(copy)}`);
  return exitCode.ok;
}

async function stats(look: FileLook, positionals: readonly string[], terminal: Terminal): Promise<number> {
  assertNoArgument(positionals);
  const counts = look.counts();
  const now = Date.now();
  for (const state of ["taken", "delivered", "dead"]) {
    const found = counts.find((count) => count.state === state);
    const oldest = found === undefined ? "" : `  oldest ${ageText(now - found.oldest)}`;
    await terminal.print(`${state.padEnd(10)}${String(found?.count ?? 0).padStart(8)}${oldest}`);
  }
  return exitCode.ok;
}
