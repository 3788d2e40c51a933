import type { Terminal } from "./terminal.ts";

/** An option of a command: how it is read, and its line in the help. */
export interface CommandOption {
  readonly type: "boolean" | "string";
  /** What stands for its value in the help; given for every `string`. */
  readonly value?: string;
  readonly help: string;
  /**
   * The environment variable that stands for it. `false`: none, since it is meant for one call.
   * Default: `OPENCLAW_INBOX_` and the option's name: `OPENCLAW_INBOX_SHOW_TEXT` for `--show-text`.
   */
  readonly env?: string | false;
}

export type Options = Readonly<Record<string, CommandOption>>;

/** What was given for each option, on the command line or in the environment. */
export type OptionValues<O extends Options> = {
  readonly [Name in keyof O]?: O[Name]["type"] extends "boolean" ? boolean : string;
};

/** What the user wrote for an option, for error messages: `--url`, or `OPENCLAW_GATEWAY_URL`. */
export type NameOf = (option: string) => string;

/** One command of the CLI. */
export interface Command<O extends Options = Options> {
  /** The lines after "Usage: openclaw-inbox", one for each form. */
  readonly usage: readonly string[];
  /** What it does, in lines of at most 80 characters. */
  readonly about: string;
  readonly options: O;
  /**
   * Runs it to its end and resolves with the exit code.
   *
   * @throws {UsageError} when the command line is wrong.
   */
  run(values: OptionValues<O>, positionals: readonly string[], terminal: Terminal, nameOf: NameOf): Promise<number>;
}

/** Ties the options of a command to what its `run` is given. */
export function defineCommand<const O extends Options>(command: Command<O>): Command {
  return command as unknown as Command;
}
