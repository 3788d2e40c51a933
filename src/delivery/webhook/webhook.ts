import type { Deliver } from "../deliver.ts";
import { EventPoster } from "./events.ts";
import { resolveWebhookOptions, type WebhookOptions } from "./options.ts";
import { post, seal } from "./post.ts";

export type { WebhookOptions } from "./options.ts";

/**
 * A handler that posts each message as JSON, signed as Standard Webhooks define it. An app in any language can receive
 * it. The body is `{type: "openclaw.message", timestamp, data}`: `data` is the message, `timestamp` its `completedAt`
 * in ISO 8601. It has the same bytes at every attempt. The header `webhook-id` is the message's `id`.
 * `webhook-timestamp` and `webhook-signature` change with each attempt. Texts are well-formed: half a surrogate pair
 * becomes U+FFFD, and NUL is left out.
 *
 * | the answer | what follows |
 * |---|---|
 * | 2xx | delivered |
 * | 400, 410, 413, 415, 422 | dead letter |
 * | any other | another attempt, not before its `Retry-After` (seconds or a date, at most 24 h); redirects are not
 * followed |
 * | none: refused, broken off, `timeoutMs` | another attempt |
 *
 * The first 200 characters of a refusal's body are stored with the dead letter and never logged. No error holds the
 * message's text, the secret, or any part of the URL but its host.
 *
 * With `events` it also reports other things that happen in the inbox.
 *
 * @example
 * createInbox({ gateway, deliver: webhook({ url: "https://app.example.com/openclaw", secret, events: ["run.errored"] })
 * });
 *
 * @throws {InboxError} `ERR_INBOX_OPTION` at once when an option is wrong.
 */
export function webhook(options: WebhookOptions): Deliver {
  const target = resolveWebhookOptions(options);
  const deliver: Deliver = (message, { signal }) =>
    post(target, seal(target, message.id, "openclaw.message", message.completedAt, message), signal);
  if (target.events.size === 0) return deliver;
  return Object.assign(deliver, { attach: new EventPoster(target).attach });
}
