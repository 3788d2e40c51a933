import { hash } from "node:crypto";

/** The name of a run among all Gateways. */
export function runKey(gateway: string, runId: string): string {
  return `${gateway}\u0000${runId}`;
}

/**
 * The idempotency key of a run's message: the same on every host that gives the Gateway the same
 * name. A hash, so that it is short and plain whatever the run id holds: `msg_` and 32 characters
 * of `[A-Za-z0-9_-]` (192 bits).
 */
export function messageId(gateway: string, runId: string): string {
  // Four characters for three bytes: 32 are the first 24 bytes.
  return `msg_${hash("sha256", runKey(gateway, runId), "base64url").slice(0, 32)}`;
}
