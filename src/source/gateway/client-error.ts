import { isGatewayProtocolResponseError } from "@openclaw/gateway-client";
import type { InboxError } from "../../errors.ts";
import {
  abortedRequest,
  noLink,
  type RequestContext,
  refusedRequest,
  unanswered,
  unsendable,
} from "../request-error.ts";

/**
 * Makes one of our errors from the official client's rejection. The client's error is not kept as `cause`, because it
 * quotes the Gateway in full and `clean` could not reach into it.
 */
export function requestError(
  error: unknown,
  request: RequestContext & { readonly live: boolean },
  clean: (text: string) => string,
): InboxError {
  if (isGatewayProtocolResponseError(error)) return refusedRequest(error, request, clean);
  if (!(error instanceof Error)) return unsendable(request, clean(String(error)));
  const { timeoutMs } = error as { readonly timeoutMs?: unknown };
  if (typeof timeoutMs === "number") return unanswered(request, timeoutMs);
  if (error.name === "AbortError") return abortedRequest(request);
  return request.live ? unsendable(request, clean(error.message)) : noLink(request.method, request.gateway);
}
