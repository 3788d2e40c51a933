import { errorText } from "../errors.ts";
import { overLimit, unsendable } from "./request-error.ts";
import type { GatewayRequest } from "./source.ts";

/** How many requests of one source may wait for their answers at once. */
export const MAX_WAITING_REQUESTS = 1_000;
/** How many bytes the parameters of these requests may have together. A socket that nobody reads keeps all of them. */
export const MAX_WAITING_BYTES = 16_777_216;

/** What {@link limitRequests} needs. */
export interface RequestLimitOptions {
  readonly gateway: string;
  /** The bytes that the socket still holds, including those of requests that were given up. Default: none. */
  readonly buffered?: () => number;
  /** Called for each request that is not sent. */
  readonly onOverLimit: () => void;
}

/** Limits how many requests wait at once. One more is rejected with `ERR_INBOX_REQUEST` and `details.overLimit`. */
export function limitRequests(request: GatewayRequest, options: RequestLimitOptions): GatewayRequest {
  const { gateway, buffered = () => 0, onOverLimit } = options;
  let waiting = 0;
  let bytes = 0;
  return async (method, params, requestOptions) => {
    const size = sizeOf(params, (words) => unsendable({ method, gateway }, words));
    if (waiting >= MAX_WAITING_REQUESTS || Math.max(bytes, buffered()) + size > MAX_WAITING_BYTES) {
      onOverLimit();
      throw overLimit({ method, gateway }, waiting, bytes);
    }
    waiting += 1;
    bytes += size;
    try {
      return await request(method, params, requestOptions);
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
