import type { CommandOption, NameOf, Options } from "./command.ts";
import { UsageError } from "./usage-error.ts";

type Value = boolean | string;

/** The environment variable of an option; undefined when it has none. */
export function variableOf(option: string, { env }: CommandOption): string | undefined {
  if (env === false) return undefined;
  return env ?? `OPENCLAW_INBOX_${option.replaceAll("-", "_").toUpperCase()}`;
}

/**
 * Takes options that the command line leaves out from the environment. An empty variable counts as not set. White space
 * around a value is left out: a file of variables may have the line ends of Windows.
 *
 * @throws {UsageError} when the variable of a yes-or-no option is neither yes nor no.
 */
export function withEnvironment(
  options: Options,
  given: Readonly<Record<string, Value | undefined>>,
  env: Readonly<Record<string, string | undefined>>,
): { readonly values: Readonly<Record<string, Value>>; readonly nameOf: NameOf } {
  const values: Record<string, Value> = {};
  const fromEnvironment = new Map<string, string>();
  for (const [name, option] of Object.entries(options)) {
    const onCommandLine = given[name];
    const variable = variableOf(name, option);
    const text = variable === undefined ? "" : (env[variable] ?? "").trim();
    const value = onCommandLine ?? (text === "" ? undefined : read(option, variable as string, text));
    if (value === undefined) continue;
    values[name] = value;
    if (onCommandLine === undefined) fromEnvironment.set(name, variable as string);
  }
  return { values, nameOf: (option) => fromEnvironment.get(option) ?? `--${option}` };
}

function read({ type }: CommandOption, variable: string, text: string): Value | undefined {
  if (type === "string") return text;
  if (/^(1|true|yes|on)$/i.test(text)) return true;
  if (/^(0|false|no|off)$/i.test(text)) return undefined;
  throw new UsageError(`Expected ${variable} to be 1 or 0, got \`${text.slice(0, 20)}\``);
}
