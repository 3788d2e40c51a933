import { type Level, pino } from "pino";
import type { Logger } from "../types.ts";
import { prettyLine } from "./pretty-line.ts";
import type { Terminal } from "./terminal.ts";
import { UsageError } from "./usage-error.ts";

const levels: readonly string[] = ["fatal", "error", "warn", "info", "debug", "trace", "silent"];

/** The option that commands with a log have. */
export const logLevelOption = {
  type: "string",
  value: "LEVEL",
  env: "LOG_LEVEL",
  help: "fatal, error, warn, info, debug, trace, silent; LOG_LEVEL",
} as const;

/**
 * A pino logger to stderr: for people on a terminal, JSON elsewhere. `option` is the level, in either case; `usual`
 * stands in for it.
 *
 * @throws {UsageError} for a level that there is not, under `name`.
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
