import { errorText, InboxError, PermanentError } from "../../errors.ts";
import { deadline } from "../../kit/deadline.ts";
import { wellFormed } from "../../kit/well-formed.ts";
import { readAnswer } from "./answer.ts";
import type { WebhookTarget } from "./options.ts";
import { type Envelope, signedHeaders } from "./sign.ts";

/**
 * Puts data into a body as receivers know it from Standard Webhooks. `at` is in ms since the epoch. Every text is made
 * well-formed: JSON can hold half a surrogate pair, which other languages and databases refuse.
 *
 * @throws {PermanentError} when the data cannot be written as JSON, or takes more than `maxBodyBytes`.
 */
export function seal({ maxBodyBytes }: WebhookTarget, id: string, type: string, at: number, data: object): Envelope {
  let body: string;
  try {
    body = JSON.stringify({ type, timestamp: new Date(at).toISOString(), data }, (_name, value: unknown) =>
      typeof value === "string" ? wellFormed(value) : value,
    );
  } catch (error) {
    throw new PermanentError("The message cannot be written as JSON", { id }, error);
  }
  const bytes = Buffer.byteLength(body);
  if (bytes <= maxBodyBytes) return { id, body };
  throw new PermanentError(`The message takes ${bytes} bytes as JSON, more than \`maxBodyBytes\` (${maxBodyBytes})`, {
    id,
    bytes,
    maxBodyBytes,
  });
}

/** Makes one attempt. Rejects when the receiver refuses it, or with the signal's reason. */
export async function post(target: WebhookTarget, envelope: Envelope, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const { url, clock, timeoutMs } = target;
  const limit = deadline({
    clock,
    ms: timeoutMs,
    signal,
    reason: () => {
      const text = `The webhook at ${url.host} did not answer within ${timeoutMs} ms`;
      return new InboxError("ERR_INBOX_TIMEOUT", text, { host: url.host, timeoutMs });
    },
  });
  const request = {
    method: "POST",
    headers: signedHeaders(target, envelope),
    body: envelope.body,
    redirect: "manual",
    signal: limit.signal,
  } as const;
  let response: Response;
  try {
    response = await fetch(url, request);
  } catch (error) {
    limit.release();
    throw limit.signal.aborted ? limit.signal.reason : unreachable(url, error);
  }
  const failure = await readAnswer(url, response, clock.now(), limit.release);
  if (failure !== undefined) throw failure;
}

/** `fetch` only says "fetch failed". The reason is in its `cause`. */
function unreachable(url: URL, error: unknown): InboxError {
  const cause = error instanceof Error ? error.cause : undefined;
  const code = (cause as { readonly code?: unknown } | undefined)?.code;
  const reason = typeof code === "string" ? code : errorText(cause ?? error);
  return new InboxError(
    "ERR_INBOX_DELIVERY",
    `The webhook at ${url.host} could not be reached: ${reason}`,
    { host: url.host },
    error,
  );
}
