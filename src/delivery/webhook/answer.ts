import { InboxError, PermanentError } from "../../errors.ts";
import { parseRetryAfter } from "../retry-after.ts";

/** How much of an answer's body is read before it is cancelled, in bytes. It is read at all because only then is the connection used again. */
const MAX_ANSWER_BYTES = 65_536;

/** Not the message's fault although below 500: too slow, too early, too many. */
const PASSING_STATUS: ReadonlySet<number> = new Set([408, 425, 429]);

/**
 * What an answer means: undefined when the message is taken (2xx), a `PermanentError` when asking
 * again is of no use, else an `ERR_INBOX_DELIVERY` with `details.retryAfterMs` where the receiver
 * asked for time. `now` in ms since the epoch.
 */
export function answerError(url: URL, status: number, headers: Headers, now: number): InboxError | undefined {
  const details = { host: url.host, status };
  if (status >= 200 && status < 300) return undefined;
  if (status >= 300 && status < 400) {
    return new PermanentError(
      `The webhook at ${url.host} answered ${status}${redirectText(url, headers)}; redirects are not followed`,
      details,
    );
  }
  if (status === 410)
    return new PermanentError(`The webhook at ${url.host} answered 410: it wants no more messages`, details);
  if (status < 500 && !PASSING_STATUS.has(status)) {
    return new PermanentError(`The webhook at ${url.host} answered ${status}`, details);
  }
  const retryAfterMs = parseRetryAfter(headers.get("retry-after"), now);
  return new InboxError(
    "ERR_INBOX_DELIVERY",
    `The webhook at ${url.host} answered ${status}`,
    retryAfterMs === undefined ? details : { ...details, retryAfterMs },
  );
}

/** Names the other host only: a path or query may hold a token. */
function redirectText(url: URL, headers: Headers): string {
  const location = headers.get("location");
  if (location === null || !URL.canParse(location, url.href)) return "";
  return `, a redirect to ${new URL(location, url).host}`;
}

/** Reads the body's beginning and throws it away. Never rejects: the status was the answer, a body that breaks off changes nothing. */
export async function discardBody(response: Response): Promise<void> {
  const reader = response.body?.getReader();
  if (reader === undefined) return;
  let bytes = 0;
  try {
    while (bytes <= MAX_ANSWER_BYTES) {
      const { done, value } = await reader.read();
      if (done) return;
      bytes += value.byteLength;
    }
    await reader.cancel();
  } catch {
    // See above.
  }
}
