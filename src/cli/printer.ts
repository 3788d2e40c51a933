import type { Deliver } from "../delivery/deliver.ts";
import type { ProactiveMessage, RunOutcome } from "../types.ts";
import { messageText, unsentText } from "./message-text.ts";
import type { Terminal } from "./terminal.ts";

/** How messages are printed. */
export interface PrinterOptions {
  /** Prints one line of JSON per message, and nothing else on stdout. Default: a format for people. */
  readonly json?: boolean | undefined;
  /** The most lines of a text in the format for people. Default: all. */
  readonly maxLines?: number;
}

/** Prints messages to stdout. */
export interface Printer {
  /** A handler. The message is delivered when stdout has accepted it. */
  readonly deliver: Deliver;
  /** Prints one message. Resolves when stdout has accepted it. */
  message(message: ProactiveMessage): Promise<void>;
  /** Prints a run that settled without a message, unless the output is JSON. */
  outcome(outcome: RunOutcome): void;
}

export function createPrinter(terminal: Terminal, { json = false, maxLines }: PrinterOptions = {}): Printer {
  const message = (finished: ProactiveMessage) =>
    terminal.print(json ? JSON.stringify(finished) : messageText(finished, terminal, maxLines));
  return {
    deliver: (finished) => message(finished),
    message,
    outcome(outcome) {
      if (!json && outcome.status !== "dispatched") void terminal.print(unsentText(outcome, terminal));
    },
  };
}
