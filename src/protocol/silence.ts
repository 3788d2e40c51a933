/**
 * What an agent says to say nothing: to a heartbeat, to a question that it need not answer, in place of a report. The
 * last one stands where a client would show nothing.
 */
const SILENCE = /^(?:NO_REPLY|HEARTBEAT_OK|ANNOUNCE_SKIP|REPLY_SKIP)$/i;
const NO_OUTPUT = "(no output)";
/** Four tokens, and some marks around them. */
const LONGEST = 100;

/**
 * Whether the whole text is a token of silence, once or several times, with or without marks around it. A text that
 * only begins or ends with one is no silence.
 */
export function isSilence(text: string): boolean {
  const trimmed = text.trim();
  if (trimmed.length === 0 || trimmed.length > LONGEST) return false;
  if (trimmed === NO_OUTPUT) return true;
  // `_` is a mark to Unicode, too, but here it is part of a word.
  const bare = trimmed.replace(/^\p{P}+/u, "").replace(/\p{P}+$/u, "");
  return bare.split(/\s+/).every((word) => SILENCE.test(word));
}
