import { createRequire } from "node:module";
import { parseArgs } from "node:util";
import { isInboxError } from "../errors.ts";
import type { Command } from "./command.ts";
import { commands } from "./commands.ts";
import { withEnvironment } from "./environment.ts";
import { exitCode } from "./exit-code.ts";
import { commandHelp, overallHelp } from "./help.ts";
import { meant } from "./meant.ts";
import { plainText } from "./plain-text.ts";
import type { Terminal } from "./terminal.ts";
import { UsageError } from "./usage-error.ts";

/** Runs the command in `args` and resolves with the exit code. Never rejects: errors are written to stderr. */
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
    // Any other error is a bug of this package, so its stack is shown.
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
  if (entry === undefined) {
    const isOption = name.startsWith("-");
    throw new UsageError(
      isOption ? `There is no option \`${name}\`` : `There is no command \`${name}\`${meant(name, commands.keys())}`,
    );
  }
  const command = await entry.load();
  const { help, values, positionals, nameOf } = parse(command, args);
  if (help) return show(commandHelp(command), terminal);
  return command.run(values as Parameters<Command["run"]>[0], positionals, terminal, nameOf);
}

async function show(text: string, terminal: Terminal): Promise<number> {
  await terminal.print(text);
  return exitCode.ok;
}

function parse({ options }: Command, args: readonly string[]) {
  const known = Object.entries({ ...options, help: { type: "boolean" } as const });
  let given: Readonly<Record<string, unknown>>;
  let positionals: readonly string[];
  try {
    ({ values: given, positionals } = parseArgs({
      args: [...args],
      options: Object.fromEntries(
        known.map(([name, { type }]) => [name, { type, ...(name === "help" && { short: "h" }) }]),
      ),
      allowPositionals: true,
    }));
  } catch (error) {
    // Only Node's first sentence helps. The rest is about positional arguments.
    const [sentence = ""] = (error as Error).message.split(/\. |\n/);
    const unknown = /^Unknown option '--([^']*)'/.exec(sentence)?.[1];
    const suggestion = unknown === undefined ? "" : meant(unknown, Object.keys(options), "--");
    throw new UsageError(sentence.replace(/\.$/, "").replaceAll("'", "`") + suggestion);
  }
  const { help, ...values } = given as Readonly<Record<string, boolean | string>>;
  // A wrong variable must not prevent the help.
  const completed = help === true ? { values: {}, nameOf: String } : withEnvironment(options, values, process.env);
  return { ...completed, help: help === true, positionals };
}

function packageVersion(): string {
  const require = createRequire(import.meta.url);
  return (require("openclaw-inbox/package.json") as { readonly version: string }).version;
}
