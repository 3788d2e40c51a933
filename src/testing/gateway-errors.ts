import { randomUUID } from "node:crypto";

/** The `error` of a refused request, as a Gateway sends it. */
export interface GatewayError {
  readonly code: string;
  readonly message: string;
  readonly details?: unknown;
  readonly retryable?: boolean;
  readonly retryAfterMs?: number;
}

/** How a Gateway refuses a connection: its answer to `connect`, then the close frame. */
export interface Refusal {
  readonly error: GatewayError;
  readonly closeCode: number;
  readonly closeReason: string;
}

/**
 * The refusals of a real Gateway:
 * - `"starting"`: the Gateway starts; clients retry after 500 ms.
 * - `"wrong-token"`, `"missing-token"`, `"pairing"`, `"protocol"`: clients stop, and a person must act.
 */
export type RefusalKind = "starting" | "wrong-token" | "missing-token" | "pairing" | "protocol";

/** The refusal that `kind` stands for. */
export function refusal(kind: RefusalKind): Refusal {
  switch (kind) {
    case "starting":
      return {
        error: {
          code: "UNAVAILABLE",
          message: "gateway starting; retry shortly",
          retryable: true,
          retryAfterMs: 500,
          details: { reason: "startup-sidecars" },
        },
        closeCode: 1013,
        closeReason: "gateway starting",
      };
    case "wrong-token":
      return unauthorized("AUTH_TOKEN_MISMATCH", "token_mismatch", "gateway token mismatch");
    case "missing-token":
      return unauthorized("AUTH_TOKEN_MISSING", "token_missing", "gateway token missing");
    case "pairing":
      return closing(1008, {
        code: "NOT_PAIRED",
        message: "pairing required",
        details: { code: "PAIRING_REQUIRED", reason: "not-paired", requestId: randomUUID() },
      });
    case "protocol":
      return closing(1002, {
        code: "INVALID_REQUEST",
        message: "protocol mismatch",
        details: { code: "PROTOCOL_MISMATCH", expectedProtocol: 4, minimumProbeProtocol: 3 },
      });
  }
}

/** The answer to a malformed `connect`, and to any other request before it. */
export function invalidHandshake(message: string): Refusal {
  return closing(1008, { code: "INVALID_REQUEST", message });
}

/** The answer to an unknown method. */
export function unknownMethod(method: string): GatewayError {
  return { code: "INVALID_REQUEST", message: `unknown method: ${method}` };
}

/** The answer to wrong parameters of a method. */
export function invalidParams(method: string, problem: string): GatewayError {
  return { code: "INVALID_REQUEST", message: `invalid ${method} params: ${problem}` };
}

/** The answer to a method whose scope the client does not have. */
export function missingScope(scope: string): GatewayError {
  return {
    code: "FORBIDDEN",
    message: `missing scope: ${scope}`,
    details: { code: "MISSING_SCOPE", missingScope: scope, requiredScopes: [scope] },
  };
}

/**
 * Thrown by a handler of `respond`, it is the answer to the request.
 *
 * @example
 * gateway.respond("sessions.list", () => {
 *   throw new GatewayRefusal({ code: "UNAVAILABLE", message: "The server is busy", retryable: true });
 * });
 */
export class GatewayRefusal extends Error {
  override readonly name = "GatewayRefusal";
  /** The `error` of the answer; its `retryAfterMs` is in ms. */
  readonly error: GatewayError;

  constructor(error: GatewayError) {
    super(error.message);
    this.error = error;
  }
}

function unauthorized(code: string, authReason: string, what: string): Refusal {
  return closing(1008, {
    code: "INVALID_REQUEST",
    message: `unauthorized: ${what} (provide gateway auth token)`,
    details: { code, authReason, canRetryWithDeviceToken: false, recommendedNextStep: "update_auth_credentials" },
  });
}

function closing(closeCode: number, error: GatewayError): Refusal {
  return { error, closeCode, closeReason: error.message };
}
