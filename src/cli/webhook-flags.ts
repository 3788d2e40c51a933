import type { WebhookEvent, WebhookOptions } from "../delivery/webhook/options.ts";
import type { NameOf } from "./command.ts";
import type { WebhookConfig } from "./config.ts";
import { UsageError } from "./usage-error.ts";

/** The option of commands that post. */
export const webhookFlags = {
  webhook: { type: "string", value: "URL", help: "post each message to this address" },
  events: { type: "string", value: "NAMES", help: "post these, too: run.errored,delivery.dead,..." },
} as const;

const SECRET = "OPENCLAW_INBOX_WEBHOOK_SECRET";

interface WebhookValues {
  readonly webhook?: string;
  readonly events?: string;
  readonly "allow-insecure"?: boolean;
}

/** How the user wrote the options of a webhook, for error messages. */
export function webhookNames(values: WebhookValues, nameOf: NameOf): ReadonlyMap<string, string> {
  return new Map([
    ["url", values.webhook === undefined ? "webhook.url" : nameOf("webhook")],
    ["events", values.events === undefined ? "webhook.events" : nameOf("events")],
    ["secret", process.env[SECRET] === undefined ? "webhook.secretFile" : SECRET],
  ]);
}

/**
 * The webhook from options, environment and configuration. Undefined when none of them has one.
 *
 * @throws {UsageError} when its secret is missing.
 */
export function webhookOptionsFrom(
  values: WebhookValues,
  config: WebhookConfig | undefined,
  nameOf: NameOf,
): WebhookOptions | undefined {
  const url = values.webhook ?? config?.url;
  if (url === undefined) return undefined;
  const { secrets, ...rest } = config ?? {};
  // While the secret is being changed there are two, with a space between them.
  const fromEnvironment = process.env[SECRET]?.split(/\s+/).filter(Boolean) ?? [];
  const secret = fromEnvironment.length > 0 ? fromEnvironment : secrets;
  if (secret === undefined)
    throw new UsageError(`Expected the secret of ${webhookNames(values, nameOf).get("url")} in ${SECRET}`);
  return {
    ...rest,
    url,
    secret,
    // `webhook()` refuses an unknown event.
    ...(values.events !== undefined && { events: values.events.split(",") as WebhookEvent[] }),
    ...(values["allow-insecure"] === true && { allowInsecure: true }),
  };
}
