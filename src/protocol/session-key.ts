import { InboxError } from "../errors.ts";

/** What one word of a session key means: the name its value gets, and how the value is read. */
export interface SessionKeyWord {
  readonly as: string;
  /** `"integer"`: a value that is not a whole number is left out. Default `"string"`. */
  readonly type?: "string" | "integer";
}

/** What a parser made by {@link defineSessionKey} reads: each word's value, if the key has it. */
export type SessionOf<Words extends Readonly<Record<string, SessionKeyWord>>> = {
  readonly [W in keyof Words as Words[W]["as"]]?: Words[W]["type"] extends "integer" ? number : string;
};

/**
 * Makes a parser of session keys that are written as pairs, `word:value:word:value`. A word that is
 * not in `words` is skipped by one step; the case of words does not matter, that of values is kept; the last of a repeated word counts;
 * a blank key gives an empty object.
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
