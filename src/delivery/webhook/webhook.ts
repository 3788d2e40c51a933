import { errorText, InboxError, PermanentError } from "../../errors.ts";
import { type Deadline, deadline } from "../../kit/deadline.ts";
import type { ProactiveMessage } from "../../types.ts";
import type { Deliver } from "../deliver.ts";
import { answerError, discardBody } from "./answer.ts";
import { resolveWebhookOptions, type WebhookOptions, type WebhookTarget } from "./options.ts";

export type { WebhookOptions } from "./options.ts";

/**
 * A handler that posts each message as JSON, signed per Standard Webhooks, so that an app in any
 * language can receive it. The body is `{type: "openclaw.message", timestamp, data}`, `data` the
 * message and `timestamp` its `completedAt` as ISO 8601: the same bytes at every attempt. The header
 * `webhook-id` is the message's `id`; `webhook-timestamp` and `webhook-signature` are the attempt's.
 *
 * | the answer | what becomes of it |
 * |---|---|
 * | 2xx | done |
 * | 3xx | dead letter; redirects are not followed |
 * | 408, 425, 429, 5xx | tried again, not before its `Retry-After` (seconds or a date, at most 24 h) |
 * | any other 4xx, 410 too | dead letter |
 * | none: refused, broken off, `timeoutMs` | tried again |
 *
 * No error holds the message's text, the secret, or more of the URL than its host.
 *
 * @throws {InboxError} `ERR_INBOX_OPTION` at once when an option is wrong.
 */
export function webhook(options: WebhookOptions): Deliver {
  const target = resolveWebhookOptions(options);
  return (message, { signal }) => post(target, message, signal);
}

async function post(target: WebhookTarget, message: ProactiveMessage, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const body = encode(target, message);
  const headers = signedHeaders(target, message.id, body);
  const limit = limitTime(target, signal);
  let response: Response;
  try {
    response = await fetch(target.url, { method: "POST", headers, body, redirect: "manual", signal: limit.signal });
  } catch (error) {
    limit.release();
    throw limit.signal.aborted ? limit.signal.reason : unreachable(target.url, error);
  }
  // Not awaited: the status has decided, and a receiver that dawdles over its body must not turn
  // a message it took into one that is sent again. The time limit still holds.
  void discardBody(response).finally(limit.release);
  const failure = answerError(target.url, response.status, response.headers, target.clock.now());
  if (failure !== undefined) throw failure;
}

function encode({ maxBodyBytes }: WebhookTarget, message: ProactiveMessage): string {
  let body: string;
  try {
    body = JSON.stringify({
      type: "openclaw.message",
      timestamp: new Date(message.completedAt).toISOString(),
      data: message,
    });
  } catch (error) {
    throw new PermanentError("The message cannot be written as JSON", { id: message.id }, error);
  }
  const bytes = Buffer.byteLength(body);
  if (bytes <= maxBodyBytes) return body;
  throw new PermanentError(`The message takes ${bytes} bytes as JSON, more than \`maxBodyBytes\` (${maxBodyBytes})`, {
    id: message.id,
    bytes,
    maxBodyBytes,
  });
}

/** Signed anew for each attempt: receivers refuse a timestamp that is more than five minutes off. */
function signedHeaders({ headers, signers, clock }: WebhookTarget, id: string, body: string): Headers {
  const at = new Date(clock.now());
  const signed = new Headers(headers);
  signed.set("webhook-id", id);
  signed.set("webhook-timestamp", String(Math.floor(at.getTime() / 1000)));
  signed.set("webhook-signature", signers.map((signer) => signer.sign(id, at, body)).join(" "));
  return signed;
}

/** Ends with the caller's signal, or after `timeoutMs`. */
function limitTime({ clock, timeoutMs, url }: WebhookTarget, signal: AbortSignal): Deadline {
  const reason = () => {
    const text = `The webhook at ${url.host} did not answer within ${timeoutMs} ms`;
    return new InboxError("ERR_INBOX_TIMEOUT", text, { host: url.host, timeoutMs });
  };
  return deadline({ clock, ms: timeoutMs, reason, signal });
}

/** fetch says only "fetch failed"; the reason is in its cause. */
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
