import type { Operator } from "./operator.ts";
import type { Expectation } from "./scenario.ts";
import type { TestedInbox } from "./tested-inbox.ts";
import { readReplies } from "./transcript.ts";

/**
 * Compares what was expected of a session with the Gateway's transcript and with what each inbox handed over:
 * the same texts, each as often. Throws with the first difference.
 *
 * `expectations` are all that belong to the session. Several inboxes may have heard one text, and one that was
 * opened for a scenario also hears what is said in the session later.
 */
export async function checkSession(
  operator: Operator,
  version: string,
  expectations: readonly Expectation[],
): Promise<void> {
  const [first] = expectations;
  if (!first) return;
  const { sessionKey, transcriptKey = sessionKey } = first;
  const said = (await readReplies(operator, transcriptKey, version)).map((reply) => reply.text);
  const all = new Set(expectations.flatMap(({ texts }) => texts));
  same(`the Gateway's transcript of ${transcriptKey}`, said, [...all]);
  for (const inbox of new Set(expectations.map((expectation) => expectation.inbox))) {
    const own = new Set(
      expectations.filter((expectation) => expectation.inbox === inbox).flatMap(({ texts }) => texts),
    );
    const delivered = inbox.messages.items
      .filter((message) => message.sessionKey === sessionKey)
      .map((message) => message.text.trimEnd());
    const alsoHeard = new Set(delivered.filter((text) => all.has(text) && !own.has(text)));
    same(`what was handed over of ${sessionKey}`, delivered, [...own, ...alsoHeard]);
  }
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
