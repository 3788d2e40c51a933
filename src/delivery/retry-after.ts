import { isInboxError } from "../errors.ts";

/**
 * The longest wait a receiver can ask for, in ms: 24 hours, as long as the ledger remembers a message. A longer one is
 * cut, because one wrong header could stop a conversation for years.
 */
export const MAX_RETRY_AFTER_MS = 86_400_000;

/**
 * The least time to wait after this error, in ms: `details.retryAfterMs` of an `InboxError`, at most {@link
 * MAX_RETRY_AFTER_MS}. Undefined when there is none, or an invalid one.
 */
export function retryAfterMs(error: unknown): number | undefined {
  if (!isInboxError(error)) return undefined;
  const asked = error.details["retryAfterMs"];
  if (typeof asked !== "number" || !(asked >= 0)) return undefined;
  return Math.min(asked, MAX_RETRY_AFTER_MS);
}

/**
 * Reads an HTTP `Retry-After` header: seconds, or a date. Returns ms from `now` (ms since the epoch). A date in the
 * past gives 0. Undefined when the header is absent or unreadable.
 */
export function parseRetryAfter(header: string | null, now: number): number | undefined {
  const value = header?.trim();
  if (!value) return undefined;
  if (/^\d+$/.test(value)) return Math.min(Number(value) * 1000, MAX_RETRY_AFTER_MS);
  // `Date.parse` accepts almost anything ("-5" is a month). So check for an HTTP date first.
  if (!/^[A-Za-z]{3,9},? /.test(value)) return undefined;
  // The oldest of the three HTTP formats has no zone. HTTP means UTC, but JavaScript would read local time.
  const at = Date.parse(value.endsWith("GMT") ? value : `${value} GMT`);
  return Number.isNaN(at) ? undefined : Math.min(Math.max(0, at - now), MAX_RETRY_AFTER_MS);
}
