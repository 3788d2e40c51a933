import type { ProactiveMessage, RunOutcome } from "../types.ts";
import { plainLine, plainText } from "./plain-text.ts";
import type { Terminal } from "./terminal.ts";
import { wrap } from "./wrap.ts";

/** A line is no longer, however wide the terminal is. In characters. */
const WIDEST = 100;

/**
 * How a message looks to a person: where it belongs and where it came from, and its text beneath; of a text that is
 * cut to `maxLines`, blank lines are left out first.
 */
export function messageText(message: ProactiveMessage, { columns, paint }: Terminal, maxLines?: number): string {
  const { gateway, sessionKey, origin, late, recovered, text } = message;
  const marks = [...(gateway === "default" ? [] : [plainLine(gateway)]), origin, ...(late ? ["late"] : [])];
  if (recovered) marks.push("recovered");
  const head = `${paint("cyan", plainLine(sessionKey))}  ${paint("dim", marks.join(", "))}`;
  const shown =
    maxLines === undefined
      ? plainText(text).trim()
      : plainText(text)
          .trim()
          .replace(/\n\s*\n/g, "\n");
  const lines = wrap(shown, Math.min(columns, WIDEST) - 2, maxLines);
  return [head, ...lines.map((line) => (line === "" ? "" : `  ${line}`))].join("\n");
}

/** How a run that came to no message looks to a person: dim, on one line. */
export function unsentText(outcome: Exclude<RunOutcome, { status: "dispatched" }>, { paint }: Terminal): string {
  const { status, sessionKey, runId, text } = outcome;
  const place = plainLine(sessionKey ?? `run ${runId}`);
  return paint(
    "dim",
    `${place}  ${status}${reasonOf(outcome)}${text === "" ? "" : `, after ${text.length} characters`}`,
  );
}

function reasonOf(outcome: Exclude<RunOutcome, { status: "dispatched" }>): string {
  if (outcome.status === "errored") return `: ${plainLine(outcome.error)}`;
  return outcome.status === "discarded" ? `: ${outcome.reason}` : "";
}
