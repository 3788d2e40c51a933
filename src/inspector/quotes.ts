/** A stretch that an error shares with a message is a quotation from so many characters on. */
const QUOTED_CHARS = 12;
/** Every so many characters of the error a stretch is looked for: whatever is quoted at such a length holds one of them. */
const STEP_CHARS = 6;
/** A message shorter than this is looked for as a whole, and one of fewer characters than the next not at all. */
const SHORT_CHARS = QUOTED_CHARS + STEP_CHARS;
const TOO_SHORT_CHARS = 4;
/** How much of a message is compared, in characters: an error tells its beginning, if any of it. */
const COMPARED_CHARS = 262_144;

/** Whether an error's text has words of the message that it is about: handlers and databases like to quote what they refuse. */
export function quotes(error: string, message: string): boolean {
  const text = message.slice(0, COMPARED_CHARS);
  const short = text.trim();
  if (short.length < SHORT_CHARS) return short.length >= TOO_SHORT_CHARS && error.includes(short);
  for (let from = 0; from + QUOTED_CHARS <= error.length; from += STEP_CHARS) {
    if (text.includes(error.slice(from, from + QUOTED_CHARS))) return true;
  }
  return false;
}
