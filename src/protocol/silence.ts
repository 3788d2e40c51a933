/**
 * What an agent writes to say nothing: to a heartbeat, or to a question that needs no answer. A client shows the last
 * one when there is nothing to show.
 */
const SILENCE = /^(?:NO_REPLY|HEARTBEAT_OK|ANNOUNCE_SKIP|REPLY_SKIP)$/i;
const NO_OUTPUT = "(no output)";
/** Longer than four tokens with marks around them. */
const LONGEST = 100;

/**
 * Whether the whole text is a token of silence, once or several times, with or without marks around it. A text that
 * only begins or ends with such a token is not silence.
 */
export function isSilence(text: string): boolean {
  const trimmed = text.trim();
  if (trimmed.length === 0 || trimmed.length > LONGEST) return false;
  if (trimmed === NO_OUTPUT) return true;
  // Unicode counts `_` as a mark, but here it is part of a word.
  const bare = trimmed.replace(/^\p{P}+/u, "").replace(/\p{P}+$/u, "");
  return bare.split(/\s+/).every((word) => SILENCE.test(word));
}
