import { countedKinds } from "../protocol/attachments.ts";
import type { ProactiveMessage, RunOutcome } from "../types.ts";
import { plainLine, plainText } from "./plain-text.ts";
import type { Terminal } from "./terminal.ts";
import { wrap } from "./wrap.ts";

/** The longest line, in characters, even on a wider terminal. */
const WIDEST = 100;

/**
 * A message for people: session and origin on one line, then the text, then a line on its attachments. A text that is
 * cut to `maxLines` loses its blank lines first.
 */
export function messageText(message: ProactiveMessage, { columns, paint }: Terminal, maxLines?: number): string {
  const { gateway, sessionKey, origin, late, recovered, text, attachments } = message;
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
  const names = attachments.flatMap(({ name }) => (name === undefined ? [] : plainLine(name)));
  const attached = `  ${paint("dim", [countedKinds(attachments), ...names].join("  "))}`;
  const body = text.trim() === "" && attachments.length > 0 ? [] : lines;
  return [
    head,
    ...body.map((line) => (line === "" ? "" : `  ${line}`)),
    ...(attachments.length > 0 ? [attached] : []),
  ].join("\n");
}

/** A run that settled without a message, for people: dim, on one line. */
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
