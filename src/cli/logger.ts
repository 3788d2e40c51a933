import { type Level, pino } from "pino";
import { prettyFactory } from "pino-pretty";
import type { Logger } from "../types.ts";
import type { Terminal } from "./terminal.ts";
import { UsageError } from "./usage-error.ts";

const levels: readonly string[] = ["fatal", "error", "warn", "info", "debug", "trace", "silent"];

/** The option that commands with a log have. */
export const logLevelOption = {
  type: "string",
  value: "LEVEL",
  help: "fatal, error, warn, info, debug, trace or silent; or LOG_LEVEL",
} as const;

/**
 * A pino logger to stderr: for people on a terminal, JSON elsewhere. The level is the option's, else that of
 * `LOG_LEVEL`, else `usual`.
 *
 * @throws {UsageError} for a level that there is not.
 */
export function createLogger(terminal: Terminal, option: string | undefined, usual: Level): Logger {
  const level = option ?? (process.env["LOG_LEVEL"] || usual);
  if (!levels.includes(level)) {
    const name = option === undefined ? "LOG_LEVEL" : "--log-level";
    throw new UsageError(`Expected \`${name}\` to be one of ${levels.join(", ")}, got \`${level}\``);
  }
  const pretty = terminal.interactive
    ? prettyFactory({
        colorize: terminal.colorful,
        ignore: "pid,hostname",
        translateTime: "SYS:HH:MM:ss.l",
        singleLine: true,
      })
    : undefined;
  const write = (line: string) => terminal.note((pretty?.(line) ?? line).trimEnd());
  return pino({ level }, { write });
}
