import { errorText } from "../errors.ts";
import { overLimit, unsendable } from "./request-error.ts";
import type { GatewayRequest } from "./source.ts";

/** How many requests of one source may wait for their answers at once. */
export const MAX_WAITING_REQUESTS = 1_000;
/** How many bytes of parameters they may hold together: a socket that nobody reads keeps them all. */
export const MAX_WAITING_BYTES = 16_777_216;

/** `request`, of which only so many may be under way: one more rejects with `ERR_INBOX_REQUEST`, `details.overLimit`. */
export function limitRequests(request: GatewayRequest, gateway: string): GatewayRequest {
  let waiting = 0;
  let bytes = 0;
  return async (method, params, options) => {
    const size = sizeOf(params, (words) => unsendable({ method, gateway }, words));
    if (waiting >= MAX_WAITING_REQUESTS || bytes + size > MAX_WAITING_BYTES)
      throw overLimit({ method, gateway }, waiting, bytes);
    waiting += 1;
    bytes += size;
    try {
      return await request(method, params, options);
    } finally {
      waiting -= 1;
      bytes -= size;
    }
  };
}

function sizeOf(params: object, toError: (words: string) => Error): number {
  try {
    return Buffer.byteLength(JSON.stringify(params) ?? "");
  } catch (error) {
    throw toError(errorText(error));
  }
}
