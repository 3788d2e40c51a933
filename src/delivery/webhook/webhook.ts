import type { Deliver } from "../deliver.ts";
import { EventTeller } from "./events.ts";
import { resolveWebhookOptions, type WebhookOptions } from "./options.ts";
import { post, seal } from "./post.ts";

export type { WebhookOptions } from "./options.ts";

/**
 * A handler that posts each message as JSON, signed per Standard Webhooks, so that an app in any language can receive it.
 * The body is `{type: "openclaw.message", timestamp, data}`, `data` the message and `timestamp` its `completedAt` as ISO
 * 8601: the same bytes at every attempt. The header `webhook-id` is the message's `id`; `webhook-timestamp` and
 * `webhook-signature` are the attempt's. Texts are well-formed: half a surrogate pair becomes U+FFFD, NUL is left out.
 *
 * | the answer | what becomes of it |
 * |---|---|
 * | 2xx | done |
 * | 400, 410, 413, 415, 422 | dead letter |
 * | any other | tried again, not before its `Retry-After` (seconds or a date, at most 24 h); redirects are not followed |
 * | none: refused, broken off, `timeoutMs` | tried again |
 *
 * The first 200 characters of a refusal's body are kept with the dead letter, and are in no log line. No error holds the
 * message's text, the secret, or more of the URL than its host.
 *
 * With `events` it also tells what else goes on in the inbox whose `deliver` it is.
 *
 * @example
 * createInbox({ gateway, deliver: webhook({ url: "https://app.example.com/openclaw", secret, events: ["run.errored"] }) });
 *
 * @throws {InboxError} `ERR_INBOX_OPTION` at once when an option is wrong.
 */
export function webhook(options: WebhookOptions): Deliver {
  const target = resolveWebhookOptions(options);
  const deliver: Deliver = (message, { signal }) =>
    post(target, seal(target, message.id, "openclaw.message", message.completedAt, message), signal);
  if (target.events.size === 0) return deliver;
  return Object.assign(deliver, { attach: new EventTeller(target).attach });
}
