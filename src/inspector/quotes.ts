/** How many characters an error must share with a message to count as a quotation. */
const QUOTED_CHARS = 12;
/**
 * The distance between the pieces of the error that are searched for. Every quotation of the length above holds such a
 * piece.
 */
const STEP_CHARS = 6;
/** A shorter message is searched for as a whole, and one below the next limit not at all. */
const SHORT_CHARS = QUOTED_CHARS + STEP_CHARS;
const TOO_SHORT_CHARS = 4;
/** How many characters of a message are compared. An error quotes the beginning, if anything. */
const COMPARED_CHARS = 262_144;

/**
 * Whether an error's text has words of the message that it is about. Handlers and databases often quote what they
 * refuse.
 */
export function quotes(error: string, message: string): boolean {
  const text = message.slice(0, COMPARED_CHARS);
  const short = text.trim();
  if (short.length < SHORT_CHARS) return short.length >= TOO_SHORT_CHARS && error.includes(short);
  for (let from = 0; from + QUOTED_CHARS <= error.length; from += STEP_CHARS) {
    if (text.includes(error.slice(from, from + QUOTED_CHARS))) return true;
  }
  return false;
}
