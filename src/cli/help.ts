import type { Command } from "./command.ts";
import { commands } from "./commands.ts";
import { variableOf } from "./environment.ts";

const exitCodes = `Exit codes: 0 success, 1 failure, 2 the command line is wrong, 3 the Gateway refuses us until a
person fixes something; 130 and 143 when a signal ended it at once.`;

/** The help of the whole command line. */
export function overallHelp(): string {
  const rows = [...commands].map(([name, { summary }]) => [name, summary] as const);
  return `Usage: openclaw-inbox COMMAND [options]

Turns what OpenClaw agents say on their own into complete messages: one per run, exactly once.

Commands:
${table(rows)}

Options:
${table([
  ["--help", "this text; openclaw-inbox COMMAND --help explains a command"],
  ["--version", "the version of this package"],
])}

Messages go to stdout, everything else to stderr. Colours and progress appear only on a
terminal. NO_COLOR turns colours off.

${exitCodes}`;
}

/** The help of one command. */
export function commandHelp({ usage, about, options }: Command): string {
  const rows = Object.entries({ ...options, help: { value: undefined, help: "this text" } }).map(
    ([name, { value, help }]) => [`--${name}${value === undefined ? "" : ` ${value}`}`, help] as const,
  );
  const forms = usage.map((form, index) => `${index === 0 ? "Usage:" : "      "} openclaw-inbox ${form}`);
  const environment = environmentLine(options);
  return [forms.join("\n"), about, `Options:\n${table(rows)}`, ...environment, exitCodes].join("\n\n");
}

/** Explains how to set options in the environment, with an option of this command as the example. */
function environmentLine(options: Command["options"]): readonly string[] {
  const [name, option] = Object.entries(options).find(([, { env }]) => env === undefined) ?? [];
  if (name === undefined || option === undefined) return [];
  return [`Options can also be set in the environment: ${variableOf(name, option)} for --${name}.`];
}

function table(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([term]) => term.length)) + 2;
  return rows.map(([term, text]) => `  ${term.padEnd(width)}${text}`).join("\n");
}
