import type { Deliver } from "../delivery/deliver.ts";
import type { ProactiveMessage, RunOutcome } from "../types.ts";
import { messageText, unsentText } from "./message-text.ts";
import type { Terminal } from "./terminal.ts";

/** How messages are printed. */
export interface PrinterOptions {
  /** One line of JSON a message and nothing else on stdout. Default: for a person to read. */
  readonly json?: boolean | undefined;
  /** How many lines of a text are shown to a person. Default: all. */
  readonly maxLines?: number;
}

/** Prints messages to stdout. */
export interface Printer {
  /** A handler: the message is delivered once stdout has taken it. */
  readonly deliver: Deliver;
  /** Prints one message; resolves when stdout has taken it. */
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
