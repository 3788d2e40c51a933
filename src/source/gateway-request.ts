import { isGatewayProtocolResponseError } from "@openclaw/gateway-client";
import { InboxError } from "../errors.ts";

/** The error of a request that no connection could carry, or whose connection ended before the answer. */
export function noLink(method: string, gateway: string): InboxError {
  return new InboxError("ERR_INBOX_NO_LINK", `No connection to the Gateway "${gateway}" for ${method}.`, { method, gateway });
}

/**
 * What the official client rejected a request with, in this package's terms. The client's own error is not
 * kept as `cause`: it quotes the Gateway in full, and `clean` could not reach into it.
 */
export function requestError(
  error: unknown,
  request: { readonly method: string; readonly gateway: string; readonly live: boolean },
  clean: (text: string) => string,
): InboxError {
  const { method, gateway, live } = request;
  const words = clean(error instanceof Error ? error.message : String(error)).slice(0, 300);
  if (isGatewayProtocolResponseError(error)) return refusedRequest(error, words, { method, gateway });
  if (code(error) === "CLIENT_TIMEOUT") {
    return new InboxError("ERR_INBOX_REQUEST", `The Gateway did not answer ${method} in time: ${words}`, { method, gateway, timeout: true });
  }
  if (error instanceof Error && error.name === "AbortError") {
    return new InboxError("ERR_INBOX_REQUEST", `${method} was aborted by its caller.`, { method, gateway, aborted: true });
  }
  return live ? new InboxError("ERR_INBOX_REQUEST", `${method} could not be sent: ${words}`, { method, gateway }) : noLink(method, gateway);
}

function refusedRequest(
  error: { readonly gatewayCode: string; readonly details?: unknown; readonly retryable: boolean; readonly retryAfterMs?: number },
  words: string,
  request: { readonly method: string; readonly gateway: string },
): InboxError {
  const { gatewayCode, retryable, retryAfterMs } = error;
  const details = { ...request, gatewayCode, retryable, ...(retryAfterMs !== undefined && { retryAfterMs }) };
  const scope = missingScope(error.details, words);
  if (scope !== undefined) {
    return new InboxError("ERR_INBOX_SCOPE", `${request.method} needs the scope ${scope}, which the Gateway did not grant.`, { ...details, scope });
  }
  return new InboxError("ERR_INBOX_REQUEST", `The Gateway refused ${request.method} (${gatewayCode}): ${words}`, details);
}

/** Older Gateways name the scope in their message only. */
function missingScope(details: unknown, message: string): string | undefined {
  if (code(details) === "MISSING_SCOPE") {
    const { missingScope: scope } = details as { readonly missingScope?: unknown };
    return typeof scope === "string" ? scope : "(unnamed)";
  }
  return /\bmissing scope:\s*([a-z0-9._-]+)/i.exec(message)?.[1];
}

function code(value: unknown): unknown {
  return typeof value === "object" && value !== null ? (value as { readonly code?: unknown }).code : undefined;
}
