import { InboxError, PermanentError } from "../../errors.ts";
import { wellFormed } from "../../kit/well-formed.ts";
import { keepAnswer } from "../receiver-answer.ts";
import { parseRetryAfter } from "../retry-after.ts";

/** How much of an answer's body is read before it is cancelled, in bytes. It is read at all because only then is the connection used again. */
const MAX_ANSWER_BYTES = 65_536;

/** How much of the body of a refusal is looked at, in bytes, and kept, in characters. */
const MAX_SHOWN_BYTES = 2_048;
const MAX_SHOWN_CHARS = 200;

/**
 * No other attempt can end differently: the request is malformed, too large, of the wrong type or not wanted. Everything
 * else passes: a proxy that is being reloaded answers 404, a receiver whose clock is off 401.
 */
const PERMANENT_STATUS: ReadonlySet<number> = new Set([400, 410, 413, 415, 422]);

/**
 * What an answer means: undefined when the message is taken (2xx), a `PermanentError` when asking again is of no use,
 * else an `ERR_INBOX_DELIVERY` with `details.retryAfterMs` where the receiver asked for time. `now` in ms since the epoch.
 * The beginning of the body is kept with the error. `release` is called when the connection is no longer needed.
 */
export async function readAnswer(
  url: URL,
  response: Response,
  now: number,
  release: () => void,
): Promise<InboxError | undefined> {
  const { status, headers } = response;
  if (status >= 200 && status < 300) {
    // Not awaited: the status has decided, and a receiver that dawdles over its body must not turn a message that it
    // took into one that is sent again.
    void discardBody(response.body?.getReader()).finally(release);
    return undefined;
  }
  const error = refusal(url, status, headers, now);
  const body = response.body?.getReader();
  const answer = await readBeginning(body);
  void discardBody(body).finally(release);
  if (answer !== "") keepAnswer(error, answer);
  return error;
}

function refusal(url: URL, status: number, headers: Headers, now: number): InboxError {
  const details = { host: url.host, status };
  const text = `The webhook at ${url.host} answered ${status}`;
  if (status === 410) return new PermanentError(`${text}: it wants no more messages`, details);
  if (PERMANENT_STATUS.has(status)) return new PermanentError(text, details);
  const isRedirect = status >= 300 && status < 400;
  const retryAfterMs = parseRetryAfter(headers.get("retry-after"), now);
  return new InboxError(
    "ERR_INBOX_DELIVERY",
    isRedirect ? `${text}${redirectText(url, headers)}; redirects are not followed` : text,
    retryAfterMs === undefined ? details : { ...details, retryAfterMs },
  );
}

/** Names the other host only: a path or query may hold a token. */
function redirectText(url: URL, headers: Headers): string {
  const location = headers.get("location");
  if (location === null || !URL.canParse(location, url.href)) return "";
  return `, a redirect to ${new URL(location, url).host}`;
}

type Body = ReadableStreamDefaultReader<Uint8Array> | undefined;

/** The first words of the body, on one line. Never rejects. */
async function readBeginning(body: Body): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  try {
    while (body !== undefined && bytes < MAX_SHOWN_BYTES) {
      const { done, value } = await body.read();
      if (done) break;
      bytes += value.byteLength;
      text += decoder.decode(value.subarray(0, MAX_SHOWN_BYTES), { stream: true });
    }
  } catch {
    // It broke off: what came is the answer.
  }
  // Written into a terminal by `dead list`, so it must not hold control characters.
  return wellFormed(
    text
      .replace(/[\p{Cc}\s]+/gu, " ")
      .trim()
      .slice(0, MAX_SHOWN_CHARS),
  );
}

/** Reads on for a while and throws it away. Never rejects: the status was the answer, a body that breaks off changes nothing. */
async function discardBody(body: Body): Promise<void> {
  let bytes = 0;
  try {
    while (body !== undefined && bytes <= MAX_ANSWER_BYTES) {
      const { done, value } = await body.read();
      if (done) return;
      bytes += value.byteLength;
    }
    await body?.cancel();
  } catch {
    // See above.
  }
}
