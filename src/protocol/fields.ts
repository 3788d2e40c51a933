/**
 * How fields of frames and answers are read. Whoever sends them may put anything into them, so every string from
 * outside goes through one of these functions, and what is kept of it is bounded here.
 */

/**
 * The longest id, session key, cursor or name that is read, in characters. The longest on a real Gateway has about
 * 200. A longer one is refused, not cut: the beginning of an id is another id.
 */
export const MAX_ID_CHARS = 1_024;

/** What is kept of words for a person (an error, a reason), in characters. The rest is cut off. */
export const MAX_WORDS_CHARS = 4_096;

/** The fields of something that may be anything: none where it is no object. */
export function fields(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

/** An id, session key, cursor or name: undefined where it is no string, empty, or longer than `MAX_ID_CHARS`. */
export function readId(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" && value.length <= MAX_ID_CHARS ? value : undefined;
}

/** Whether `value` is a string that {@link readId} refuses for its length: a reason to refuse what holds it. */
export function isTooLongAnId(value: unknown): boolean {
  return typeof value === "string" && value.length > MAX_ID_CHARS;
}

/**
 * Whether an event beside `chat` carries such an id, itself or in its session or its row. It is refused as a whole,
 * before anybody can keep the id.
 */
export function carriesTooLongAnId(payload: unknown): boolean {
  const { runId, sessionKey, sessionId, spawnedBy, session, message } = fields(payload);
  if (isTooLongAnId(runId) || isTooLongAnId(sessionKey) || isTooLongAnId(sessionId) || isTooLongAnId(spawnedBy))
    return true;
  return (session !== undefined && sessionCarriesTooLongAnId(session)) || rowCarriesTooLongAnId(message);
}

/** The same of a session, as `sessions.list` tells it. */
function sessionCarriesTooLongAnId(session: unknown): boolean {
  const { key, sessionId, spawnedBy } = fields(session);
  return isTooLongAnId(key) || isTooLongAnId(sessionId) || isTooLongAnId(spawnedBy);
}

/** The same of a row of a transcript. */
export function rowCarriesTooLongAnId(row: unknown): boolean {
  const { idempotencyKey, __openclaw: mark, openclawAutomation, openclawAbort } = fields(row);
  const { id, runId } = fields(mark);
  if (isTooLongAnId(idempotencyKey) || isTooLongAnId(id) || isTooLongAnId(runId)) return true;
  return isTooLongAnId(fields(openclawAutomation)["runId"]) || isTooLongAnId(fields(openclawAbort)["runId"]);
}

/** Words for a person, cut to `MAX_WORDS_CHARS`; undefined where there are none. */
export function readWords(value: unknown): string | undefined {
  if (typeof value !== "string" || value === "") return undefined;
  if (value.length <= MAX_WORDS_CHARS) return value;
  // Copied, since a slice keeps the whole string in memory.
  return structuredClone(`${value.slice(0, MAX_WORDS_CHARS - 1)}…`);
}

/** Whether `value` can be a time in ms since the epoch. */
export function isTime(value: unknown): value is number {
  return typeof value === "number" && value > 0 && value <= 8.64e15;
}
