import { createHash } from "node:crypto";

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
  const digest = createHash("sha256").update(runKey(gateway, runId)).digest();
  return `msg_${digest.subarray(0, 24).toString("base64url")}`;
}
