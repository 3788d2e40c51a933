import { InboxError, PermanentError } from "../../errors.ts";
import { wellFormed } from "../../kit/well-formed.ts";
import { keepAnswer } from "../receiver-answer.ts";
import { parseRetryAfter } from "../retry-after.ts";

/**
 * How much of an answer's body is read before it is cancelled, in bytes. Reading it lets the connection be used again.
 */
const MAX_ANSWER_BYTES = 65_536;

/** How much of a refusal's body is read, in bytes, and how much is kept, in characters. */
const MAX_SHOWN_BYTES = 2_048;
const MAX_SHOWN_CHARS = 200;

/**
 * Another attempt would end the same: the request is malformed, too large, of a wrong type or not wanted. Every other
 * status may pass. A proxy answers 404 while it is reloaded, and a receiver with a wrong clock answers 401.
 */
const PERMANENT_STATUS: ReadonlySet<number> = new Set([400, 410, 413, 415, 422]);

/**
 * Reads an answer. Returns undefined for 2xx. Returns a `PermanentError` when another attempt cannot help. Otherwise
 * returns an `ERR_INBOX_DELIVERY`, with `details.retryAfterMs` when the receiver asked for time. `now` is in ms since
 * the epoch. The beginning of the body is stored for the error. `release` is called when the connection is not needed
 * any longer.
 */
export async function readAnswer(
  url: URL,
  response: Response,
  now: number,
  release: () => void,
): Promise<InboxError | undefined> {
  const { status, headers } = response;
  if (status >= 200 && status < 300) {
    // Not awaited, because the status has decided. A slow body must not make an accepted message fail.
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

/** Names only the other host, because a path or query may hold a token. */
function redirectText(url: URL, headers: Headers): string {
  const location = headers.get("location");
  if (location === null || !URL.canParse(location, url.href)) return "";
  return `, a redirect to ${new URL(location, url).host}`;
}

type Body = ReadableStreamDefaultReader<Uint8Array> | undefined;

/** The beginning of the body, on one line. Never rejects. */
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
    // The connection broke. What came so far is the answer.
  }
  // `dead list` writes it to a terminal, so it must not hold control characters.
  return wellFormed(
    text
      .replace(/[\p{Cc}\s]+/gu, " ")
      .trim()
      .slice(0, MAX_SHOWN_CHARS),
  );
}

/** Reads some of the body and ignores it. Never rejects, because the status was the answer. */
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
