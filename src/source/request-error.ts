import { InboxError } from "../errors.ts";

/** The request that an error is about. */
export interface RequestContext {
  readonly method: string;
  readonly gateway: string;
}

/** The error of a request that could not be sent, or whose connection ended before the answer. */
export function noLink(method: string, gateway: string): InboxError {
  return new InboxError("ERR_INBOX_NO_LINK", `No connection to the Gateway "${gateway}" for ${method}.`, {
    method,
    gateway,
  });
}

/** The error of a request whose answer did not come within `timeoutMs`. */
export function unanswered({ method, gateway }: RequestContext, timeoutMs: number): InboxError {
  const message = `The Gateway "${gateway}" did not answer ${method} within ${timeoutMs} ms.`;
  return new InboxError("ERR_INBOX_REQUEST", message, { method, gateway, timeoutMs });
}

/** The error of a request that its caller's signal aborted. */
export function abortedRequest({ method, gateway }: RequestContext): InboxError {
  return new InboxError("ERR_INBOX_REQUEST", `${method} was aborted by its caller.`, {
    method,
    gateway,
    aborted: true,
  });
}

/** The error of a request that could not be written, e.g. because its parameters are not JSON. `words` say why. */
export function unsendable({ method, gateway }: RequestContext, words: string): InboxError {
  return new InboxError("ERR_INBOX_REQUEST", `${method} could not be sent: ${words}`, { method, gateway });
}

/**
 * The error of a request that was not sent: `waiting` requests with `bytes` of parameters already wait for their
 * answers.
 */
export function overLimit({ method, gateway }: RequestContext, waiting: number, bytes: number): InboxError {
  const message = `${method} was not sent: ${waiting} requests (${bytes} bytes) wait for the Gateway "${gateway}" already.`;
  return new InboxError("ERR_INBOX_REQUEST", message, {
    method,
    gateway,
    waiting,
    bytes,
    overLimit: true,
    retryable: true,
  });
}

/** The error of a file that is larger than `maxBytes`. */
export function tooLarge(gateway: string, maxBytes: number): InboxError {
  const message = `The file is larger than \`maxBytes\` (${maxBytes}).`;
  return new InboxError("ERR_INBOX_REQUEST", message, { gateway, maxBytes });
}

/** The error that a Gateway answered a request with: `error` of its `res` frame, in any shape. */
export function refusedRequest(
  error: unknown,
  { method, gateway }: RequestContext,
  clean = (text: string) => text,
): InboxError {
  const { code, message, retryable, retryAfterMs, details } = Object(error) as Readonly<Record<string, unknown>>;
  const words = typeof message === "string" ? clean(message).slice(0, 300) : "no reason given";
  const gatewayCode = typeof code === "string" ? code : "UNKNOWN";
  const fields = {
    method,
    gateway,
    gatewayCode,
    retryable: retryable === true,
    ...(typeof retryAfterMs === "number" && { retryAfterMs }),
  };
  const scope = missingScope(details, words);
  return scope === undefined
    ? new InboxError("ERR_INBOX_REQUEST", `The Gateway refused ${method} (${gatewayCode}): ${words}`, fields)
    : new InboxError("ERR_INBOX_SCOPE", `${method} needs the scope ${scope}, which the Gateway did not grant.`, {
        ...fields,
        scope,
      });
}

/** Older Gateways name the scope only in their message. */
function missingScope(details: unknown, message: string): string | undefined {
  const { code, missingScope: scope } = Object(details) as Readonly<Record<string, unknown>>;
  if (code === "MISSING_SCOPE") return typeof scope === "string" ? scope : "(unnamed)";
  return /\bmissing scope:\s*([a-z0-9._-]+)/i.exec(message)?.[1];
}
