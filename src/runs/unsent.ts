import type { RunOutput } from "../../machines/run.ts";
import type { ProactiveMessage, RunOutcome } from "../types.ts";

/** The outcome of a run that has no message, or whose message is not handed over. */
export type UnsentOutcome = Exclude<RunOutcome, { status: "dispatched" }>;

/** The outcome of a run whose message turned out to be asked for by a host that shares the ledger. */
export function unsentMessage({ gateway, runId, owner, sessionKey, text }: ProactiveMessage): UnsentOutcome {
  const run = { gateway, runId, ...(owner !== undefined && { owner }), sessionKey, text };
  return { status: "discarded", reason: "solicited", ...run };
}

/** The outcome of a run that has no message. */
export function unsent(output: RunOutput): UnsentOutcome {
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
