import { createRequire } from "node:module";
import { parseArgs } from "node:util";
import { isInboxError } from "../errors.ts";
import type { Command } from "./command.ts";
import { commands } from "./commands.ts";
import { exitCode } from "./exit-code.ts";
import { commandHelp, overallHelp } from "./help.ts";
import { plainText } from "./plain-text.ts";
import type { Terminal } from "./terminal.ts";
import { UsageError } from "./usage-error.ts";

/** Runs the command that `args` name and resolves with the exit code. Never rejects: what went wrong is told on stderr. */
export async function runCli(args: readonly string[], terminal: Terminal): Promise<number> {
  const [name, ...rest] = args;
  try {
    return await dispatch(name, rest, terminal);
  } catch (error) {
    terminal.status("");
    if (error instanceof UsageError || isInboxError(error, "ERR_INBOX_OPTION")) {
      const place = name !== undefined && commands.has(name) ? `${name} ` : "";
      terminal.note(`openclaw-inbox: ${plainText(error.message)}\nTry openclaw-inbox ${place}--help`);
      return exitCode.usage;
    }
    // Anything but our own errors is a defect of ours: its stack says where.
    const text = isInboxError(error) ? error.message : error instanceof Error ? (error.stack ?? error.message) : error;
    terminal.note(`openclaw-inbox: ${plainText(String(text))}`);
    return exitCode.failure;
  }
}

async function dispatch(name: string | undefined, args: readonly string[], terminal: Terminal): Promise<number> {
  if (name === undefined) {
    terminal.note(overallHelp());
    return exitCode.usage;
  }
  if (name === "--help" || name === "-h" || name === "help") return show(overallHelp(), terminal);
  if (name === "--version") return show(packageVersion(), terminal);
  const entry = commands.get(name);
  if (entry === undefined)
    throw new UsageError(`There is no ${name.startsWith("-") ? "option" : "command"} \`${name}\``);
  const command = await entry.load();
  const { help, values, positionals } = parse(command, args);
  if (help) return show(commandHelp(command), terminal);
  return command.run(values, positionals, terminal);
}

async function show(text: string, terminal: Terminal): Promise<number> {
  await terminal.print(text);
  return exitCode.ok;
}

function parse({ options }: Command, args: readonly string[]) {
  const known = Object.entries({ ...options, help: { type: "boolean" } as const });
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: Object.fromEntries(
        known.map(([name, { type }]) => [name, { type, ...(name === "help" && { short: "h" }) }]),
      ),
      allowPositionals: true,
    });
    const { help, ...given } = values as Readonly<Record<string, unknown>>;
    return { help: help === true, values: given as Parameters<Command["run"]>[0], positionals };
  } catch (error) {
    // Its first sentence says it all; the rest speaks of positional arguments that nobody meant.
    const [sentence = ""] = (error as Error).message.split(/\. |\n/);
    throw new UsageError(sentence.replace(/\.$/, "").replaceAll("'", "`"));
  }
}

function packageVersion(): string {
  const require = createRequire(import.meta.url);
  return (require("openclaw-inbox/package.json") as { readonly version: string }).version;
}
