import { createHmac } from "node:crypto";
import type { WebhookTarget } from "./options.ts";

/** The content of a request. It is the same at every attempt. */
export interface Envelope {
  /** The header `webhook-id`. */
  readonly id: string;
  readonly body: string;
}

/** Signed again for each attempt, because receivers refuse a timestamp that is more than five minutes off. */
export function signedHeaders({ headers, keys, clock }: WebhookTarget, { id, body }: Envelope): Headers {
  const timestamp = String(Math.floor(clock.now() / 1_000));
  const signatures = keys.map((key) => signature(key, `${id}.${timestamp}.${body}`));
  const signed = new Headers(headers);
  signed.set("webhook-id", id);
  signed.set("webhook-timestamp", timestamp);
  signed.set("webhook-signature", signatures.join(" "));
  return signed;
}

/** HMAC-SHA256 in base64, after the version of the scheme, as Standard Webhooks define it. */
function signature(key: Buffer, content: string): string {
  return `v1,${createHmac("sha256", key).update(content).digest("base64")}`;
}
