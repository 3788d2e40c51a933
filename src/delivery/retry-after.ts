import { isInboxError } from "../errors.ts";

/**
 * The longest wait a receiver can ask for, in ms (24 hours, as long as the ledger remembers a
 * message). A longer one is cut: else one wrong header would hold a conversation up for years.
 */
export const MAX_RETRY_AFTER_MS = 86_400_000;

/**
 * How long a failed attempt asks to be left alone, in ms: `details.retryAfterMs` of an `InboxError`,
 * at most {@link MAX_RETRY_AFTER_MS}. Undefined when it does not ask, or asks for nonsense.
 */
export function retryAfterMs(error: unknown): number | undefined {
  if (!isInboxError(error)) return undefined;
  const asked = error.details["retryAfterMs"];
  if (typeof asked !== "number" || !(asked >= 0)) return undefined;
  return Math.min(asked, MAX_RETRY_AFTER_MS);
}

/**
 * Reads an HTTP `Retry-After` header: seconds, or a date. In ms from `now` (ms since the epoch);
 * 0 for a date that has passed, undefined when the header is absent or unreadable.
 */
export function parseRetryAfter(header: string | null, now: number): number | undefined {
  const value = header?.trim();
  if (!value) return undefined;
  if (/^\d+$/.test(value)) return Math.min(Number(value) * 1000, MAX_RETRY_AFTER_MS);
  // Date.parse takes almost anything ("-5" is a month): only what looks like an HTTP date is one.
  if (!/^[A-Za-z]{3,9},? /.test(value)) return undefined;
  // The oldest of the three forms carries no zone; HTTP means UTC, JavaScript would read local time.
  const at = Date.parse(value.endsWith("GMT") ? value : `${value} GMT`);
  return Number.isNaN(at) ? undefined : Math.min(Math.max(0, at - now), MAX_RETRY_AFTER_MS);
}
