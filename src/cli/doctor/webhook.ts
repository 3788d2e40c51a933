import { randomUUID } from "node:crypto";
import { resolveWebhookOptions, type WebhookOptions, type WebhookTarget } from "../../delivery/webhook/options.ts";
import { signedHeaders } from "../../delivery/webhook/sign.ts";
import { errorText } from "../../errors.ts";
import { type Finding, failed, ok } from "./finding.ts";

/**
 * Posts a signed test to the receiver: `{"type": "openclaw.test"}`. The receiver may answer with any 2xx and must not
 * store it.
 */
export async function checkWebhook(options: WebhookOptions): Promise<Finding> {
  const check = "webhook";
  let target: WebhookTarget;
  try {
    target = resolveWebhookOptions(options);
  } catch (error) {
    return failed(check, errorText(error));
  }
  const { host } = target.url;
  let status: number;
  let location: string | null;
  try {
    const answer = await post(target);
    ({ status } = answer);
    location = answer.headers.get("location");
    await answer.body?.cancel();
  } catch (error) {
    return failed(check, `${host} refused the test: ${reasonOf(error)}.`, fixOf(error));
  }
  if (status >= 200 && status < 300) return ok(check, `${host} accepted a signed test (${status}).`);
  return failed(check, `${host} answered a signed test with ${status}.`, fixFor(status, location));
}

function post(target: WebhookTarget): Promise<Response> {
  const { url, clock, timeoutMs } = target;
  const timestamp = new Date(clock.now()).toISOString();
  const body = JSON.stringify({ type: "openclaw.test", timestamp, data: {} });
  return fetch(url, {
    method: "POST",
    headers: signedHeaders(target, { id: `msg_${randomUUID()}`, body }),
    body,
    redirect: "manual",
    signal: AbortSignal.timeout(timeoutMs),
  });
}

function codeOf(error: unknown): string | undefined {
  const { cause } = Object(error) as { readonly cause?: { readonly code?: unknown } };
  return typeof cause?.code === "string" ? cause.code : undefined;
}

/** The error's own text is not used, because it may quote the address. */
function reasonOf(error: unknown): string {
  return codeOf(error) ?? (error instanceof Error ? error.name : "failed");
}

function fixOf(error: unknown): string {
  const code = codeOf(error) ?? "";
  if (code === "ECONNREFUSED") return "Start the receiver, or correct host and port of the webhook's address.";
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") return "Correct the name in the webhook's address.";
  if (/CERT|TLS|SSL/.test(code))
    return "Trust the receiver's certificate: if your own authority signed it, set NODE_EXTRA_CA_CERTS=ca.pem.";
  return "Look at the receiver's log: it must answer within 15 seconds.";
}

function fixFor(status: number, location: string | null): string {
  if (status >= 300 && status < 400)
    return `Give the final address: redirects are not followed${location?.startsWith("https:") ? ", and this one leads to https:" : ""}.`;
  if (status === 401 || status === 403)
    return "Give the receiver the same secret as OPENCLAW_INBOX_WEBHOOK_SECRET, let it verify the raw body, and set its clock.";
  if (status === 404) return "Correct the path of the webhook's address: the receiver has no such route.";
  if (status === 405) return "The route must accept POST.";
  if (status === 400 || status === 422)
    return "The receiver must answer 2xx to types that it does not know, such as `openclaw.test` of this test.";
  return "Look at the receiver's log.";
}
