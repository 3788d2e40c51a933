import type { RunOutput } from "../../machines/run.ts";
import type { RunOutcome } from "../types.ts";

/** The outcome of a run that has no message. */
export function unsent(output: RunOutput): Exclude<RunOutcome, { status: "dispatched" }> {
  const { status, reason, error, errorKind, gateway, owner, runId, sessionKey, text } = output;
  const run = {
    gateway,
    runId,
    ...(owner !== undefined && { owner }),
    ...(sessionKey !== undefined && { sessionKey }),
    text,
  };
  switch (status) {
    case "errored":
      return { status, error: error ?? "Unknown error", ...(errorKind !== undefined && { errorKind }), ...run };
    case "aborted":
    case "expired":
      return { status, ...run };
    default:
      return { status: "discarded", reason: reason ?? "empty", ...run };
  }
}
