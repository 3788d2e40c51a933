import { type Level, pino } from "pino";
import type { Logger } from "../types.ts";
import { prettyLine } from "./pretty-line.ts";
import type { Terminal } from "./terminal.ts";
import { UsageError } from "./usage-error.ts";

const levels: readonly string[] = ["fatal", "error", "warn", "info", "debug", "trace", "silent"];

/** The option of commands that log. */
export const logLevelOption = {
  type: "string",
  value: "LEVEL",
  env: "LOG_LEVEL",
  help: "fatal, error, warn, info, debug, trace, silent; LOG_LEVEL",
} as const;

/**
 * A pino logger to stderr: readable on a terminal, JSON elsewhere. `option` is the level, in upper or lower case.
 * `usual` is the default level.
 *
 * @throws {UsageError} for an unknown level. The error calls the option `name`.
 */
export function createLogger(terminal: Terminal, option: string | undefined, usual: Level, name: string): Logger {
  const level = (option ?? usual).toLowerCase();
  if (!levels.includes(level)) {
    throw new UsageError(`Expected \`${name}\` to be one of ${levels.join(", ")}, got \`${level}\``);
  }
  const { interactive, colorful } = terminal;
  const write = (line: string) => terminal.note((interactive ? prettyLine(line, colorful) : line).trimEnd());
  return pino({ level }, { write });
}
