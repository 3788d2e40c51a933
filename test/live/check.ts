import type { Operator } from "./operator.ts";
import type { Expectation } from "./scenario.ts";
import type { TestedInbox } from "./tested-inbox.ts";
import { readReplies } from "./transcript.ts";

/**
 * Compares what was expected of a session with what the inbox handed over and with the Gateway's
 * transcript: the same texts, each as often. Throws with the first difference.
 *
 * Expectations of one inbox and session belong together: pass all of them.
 */
export async function checkSession(operator: Operator, expectations: readonly Expectation[]): Promise<void> {
  const [first] = expectations;
  if (!first) return;
  const { inbox, sessionKey, transcriptKey = sessionKey } = first;
  const expected = expectations.flatMap((expectation) => expectation.texts);
  const delivered = inbox.messages.items
    .filter((message) => message.sessionKey === sessionKey)
    .map((message) => message.text.trimEnd());
  const said = (await readReplies(operator, transcriptKey)).map((reply) => reply.text);
  same(`the Gateway's transcript of ${transcriptKey}`, said, expected);
  same(`what was handed over of ${sessionKey}`, delivered, expected);
}

/** Throws when an inbox handed over a message id, or a run, twice. */
export function checkOnce(inbox: TestedInbox): void {
  for (const field of ["id", "runId"] as const) {
    const seen = new Set<string>();
    for (const message of inbox.messages.items) {
      if (seen.has(message[field]))
        throw new Error(`handed over twice: ${field} ${message[field]} of ${message.sessionKey}`);
      seen.add(message[field]);
    }
  }
}

function same(what: string, actual: readonly string[], expected: readonly string[]): void {
  const left = [...actual].sort();
  const right = [...expected].sort();
  if (left.length === right.length && left.every((text, index) => text === right[index])) return;
  throw new Error(`${what} is not as expected\n  expected: ${list(expected)}\n  got:      ${list(actual)}`);
}

function list(texts: readonly string[]): string {
  return texts.length === 0
    ? "nothing"
    : texts
        .map((text) =>
          text.length > 100 ? `${JSON.stringify(text.slice(0, 100))}... (${text.length})` : JSON.stringify(text),
        )
        .join(", ");
}
