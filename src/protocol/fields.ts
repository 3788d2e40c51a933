/**
 * How fields of frames and answers are read. A peer may send anything, so every string from outside is read by one of
 * these functions. They also limit its length.
 */

/**
 * The longest id, session key, cursor or name that is accepted, in characters. The longest on a real Gateway has about
 * 200. A longer one is refused and not cut, because the beginning of an id is another id.
 */
export const MAX_ID_CHARS = 1_024;

/** The most that is kept of words for a person (an error, a reason), in characters. The rest is cut off. */
export const MAX_WORDS_CHARS = 4_096;

/** The fields of any value; none when it is not an object. */
export function fields(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

/** An id, session key, cursor or name. Undefined when it is not a string, empty, or longer than `MAX_ID_CHARS`. */
export function readId(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" && value.length <= MAX_ID_CHARS ? value : undefined;
}

/** Whether {@link readId} refuses `value` for its length. Then the event that holds it is refused, too. */
export function isTooLongAnId(value: unknown): boolean {
  return typeof value === "string" && value.length > MAX_ID_CHARS;
}

/**
 * Whether an event other than `chat` carries an id that is too long: its own, or one of its session or row. Such an
 * event is refused as a whole, before the id is stored anywhere.
 */
export function carriesTooLongAnId(payload: unknown): boolean {
  const { runId, sessionKey, sessionId, spawnedBy, session, message } = fields(payload);
  if (isTooLongAnId(runId) || isTooLongAnId(sessionKey) || isTooLongAnId(sessionId) || isTooLongAnId(spawnedBy))
    return true;
  return (session !== undefined && sessionCarriesTooLongAnId(session)) || rowCarriesTooLongAnId(message);
}

/** Whether a session from `sessions.list` carries an id that is too long. */
function sessionCarriesTooLongAnId(session: unknown): boolean {
  const { key, sessionId, spawnedBy } = fields(session);
  return isTooLongAnId(key) || isTooLongAnId(sessionId) || isTooLongAnId(spawnedBy);
}

/** Whether a row of a transcript carries an id that is too long. */
export function rowCarriesTooLongAnId(row: unknown): boolean {
  const { idempotencyKey, __openclaw: mark, openclawAutomation, openclawAbort } = fields(row);
  const { id, runId } = fields(mark);
  if (isTooLongAnId(idempotencyKey) || isTooLongAnId(id) || isTooLongAnId(runId)) return true;
  return isTooLongAnId(fields(openclawAutomation)["runId"]) || isTooLongAnId(fields(openclawAbort)["runId"]);
}

/** Words for a person, cut to `maxChars`; undefined when there are none. */
export function readWords(value: unknown, maxChars = MAX_WORDS_CHARS): string | undefined {
  if (typeof value !== "string" || value === "") return undefined;
  if (value.length <= maxChars) return value;
  // Copied, because a slice keeps the whole string in memory.
  return structuredClone(`${value.slice(0, maxChars - 1)}…`);
}

/** Whether `value` can be a time in ms since the epoch. */
export function isTime(value: unknown): value is number {
  return typeof value === "number" && value > 0 && value <= 8.64e15;
}
