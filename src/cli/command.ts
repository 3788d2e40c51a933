import type { Terminal } from "./terminal.ts";

/** An option of a command: how it is read, and its line in the help. */
export interface CommandOption {
  readonly type: "boolean" | "string";
  /** The placeholder for its value in the help. Every `string` option has one. */
  readonly value?: string;
  readonly help: string;
  /**
   * The environment variable that sets the option. `false`: none, because the option is meant for a single call.
   * Default: `OPENCLAW_INBOX_` and the option's name, e.g. `OPENCLAW_INBOX_SHOW_TEXT` for `--show-text`.
   */
  readonly env?: string | false;
}

export type Options = Readonly<Record<string, CommandOption>>;

/** The value of each option, from the command line or the environment. */
export type OptionValues<O extends Options> = {
  readonly [Name in keyof O]?: O[Name]["type"] extends "boolean" ? boolean : string;
};

/** How the user wrote an option, for error messages: `--url`, or `OPENCLAW_GATEWAY_URL`. */
export type NameOf = (option: string) => string;

/** One command of the command line. */
export interface Command<O extends Options = Options> {
  /** The text after "Usage: openclaw-inbox", one line for each form. */
  readonly usage: readonly string[];
  /** What the command does, in lines of at most 100 characters. */
  readonly about: string;
  readonly options: O;
  /**
   * Runs the command and resolves with the exit code.
   *
   * @throws {UsageError} when the command line is wrong.
   */
  run(values: OptionValues<O>, positionals: readonly string[], terminal: Terminal, nameOf: NameOf): Promise<number>;
}

/** Defines a command. The types of its options decide the types that `run` gets. */
export function defineCommand<const O extends Options>(command: Command<O>): Command {
  return command as unknown as Command;
}
