import { InboxError } from "../errors.ts";

/** What one word of a session key means: the name of its value, and how the value is read. */
export interface SessionKeyWord {
  readonly as: string;
  /** `"integer"`: a value that is not a whole number is left out. Default `"string"`. */
  readonly type?: "string" | "integer";
}

/** The result of a parser made by {@link defineSessionKey}: the value of each word that the key has. */
export type SessionOf<Words extends Readonly<Record<string, SessionKeyWord>>> = {
  readonly [W in keyof Words as Words[W]["as"]]?: Words[W]["type"] extends "integer" ? number : string;
};

/**
 * Makes a parser for session keys that are written as pairs, `word:value:word:value`. A word that is not in `words` is
 * skipped by one step. The case of words is ignored, and the case of values is kept. When a word is repeated, the last
 * one counts. A blank key gives an empty object.
 *
 * @example
 * const tenant = defineSessionKey({ tenant: { as: "tenantId", type: "integer" }, room: { as: "room" } });
 * tenant("agent:main:tenant:7:room:Lobby"); // { tenantId: 7, room: "Lobby" }
 *
 * @throws {InboxError} `ERR_INBOX_OPTION` when a word holds a colon, or two words have one name.
 */
export function defineSessionKey<const Words extends Readonly<Record<string, SessionKeyWord>>>(
  words: Words,
): (sessionKey: string | null | undefined) => SessionOf<Words> {
  const byWord = new Map(Object.entries(words).map(([word, meaning]) => [word.toLowerCase(), meaning]));
  const names = new Set([...byWord.values()].map(({ as }) => as));
  if (names.size < Object.keys(words).length) {
    throw new InboxError("ERR_INBOX_OPTION", "Expected each word of a session key to have a name of its own in `as`");
  }
  for (const word of byWord.keys()) {
    if (word === "" || word.includes(":")) {
      throw new InboxError("ERR_INBOX_OPTION", `Expected a word of a session key without colons, got \`${word}\``);
    }
  }
  return (sessionKey) => readPairs(sessionKey ?? "", byWord) as SessionOf<Words>;
}

function readPairs(sessionKey: string, byWord: ReadonlyMap<string, SessionKeyWord>): Record<string, string | number> {
  const parts = sessionKey.trim().split(":");
  const session: Record<string, string | number> = {};
  for (let i = 0; i < parts.length; i++) {
    const meaning = byWord.get((parts[i] as string).toLowerCase());
    const value = parts[i + 1];
    if (meaning === undefined || value === undefined) continue;
    i += 1;
    if (meaning.type !== "integer") {
      if (value !== "") session[meaning.as] = value;
    } else if (/^-?\d+$/.test(value) && Number.isSafeInteger(Number(value))) {
      session[meaning.as] = Number(value);
    }
  }
  return session;
}
