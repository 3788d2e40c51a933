import { hash } from "node:crypto";

/** Identifies a run among all Gateways. */
export function runKey(gateway: string, runId: string): string {
  return `${gateway}\u0000${runId}`;
}

/**
 * The idempotency key of a run's message. It is the same on every host that gives the Gateway the same name. A hash
 * keeps it short and plain, whatever the run id holds: `msg_` and 32 characters of `[A-Za-z0-9_-]` (192 bits).
 */
export function messageId(gateway: string, runId: string): string {
  // In base64, 32 characters are 24 bytes.
  return `msg_${hash("sha256", runKey(gateway, runId), "base64url").slice(0, 32)}`;
}
