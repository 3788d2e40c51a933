import type { RunContext, RunOutput } from "../../machines/run.ts";
import type { Clock } from "../kit/clock.ts";
import type { Report } from "../report/report.ts";
import type { Attachment, DiscardReason, Job, Origin, ProactiveMessage, RunOutcome, Session } from "../types.ts";
import { messageId } from "./message-id.ts";

/** A run that is complete, and has a text or attachments. */
export interface FinishedRun
  extends Pick<RunContext, "gateway" | "owner" | "runId" | "sessionKey" | "startedAt" | "text"> {
  readonly late: boolean;
  readonly recovered: boolean;
  readonly origin: Origin;
  readonly agentId: string | undefined;
  readonly job: Job | undefined;
  readonly attachments: readonly Attachment[];
}

export interface OutcomeOptions {
  readonly clock: Clock;
  readonly session: (sessionKey: string) => Session | undefined;
  readonly accept: (message: ProactiveMessage) => boolean;
  readonly report: Pick<Report, "hostError">;
}

/** Asks the host's functions about a finished run. Returns its message, or the reason why it has none. */
export function decide(
  run: FinishedRun,
  { clock, session, accept, report }: OutcomeOptions,
): ProactiveMessage | DiscardReason {
  /** What `read` returns, or `otherwise` when it throws. */
  function guarded<T>(option: "session" | "accept", read: () => T, otherwise: T): T {
    try {
      return read();
    } catch (error) {
      report.hostError(option, error);
      return otherwise;
    }
  }

  const { gateway, owner, runId, sessionKey, startedAt, text, late, recovered, origin, agentId, job, attachments } =
    run;
  // Without an address the handler could not know where the message belongs.
  if (sessionKey === undefined) return "unroutable";
  const read = guarded("session", () => session(sessionKey), undefined);
  if (read === undefined) return "unroutable";
  const message: ProactiveMessage = {
    id: messageId(gateway, runId),
    gateway,
    ...(owner !== undefined && { owner }),
    runId,
    sessionKey,
    ...(agentId !== undefined && { agentId }),
    session: read,
    text,
    attachments,
    startedAt,
    completedAt: clock.now(),
    late,
    recovered,
    origin,
    ...(job !== undefined && { job }),
  };
  // A bug in the host's function must not lose a message.
  return guarded("accept", () => accept(message), true) ? message : "declined";
}

/** The outcome of a run that has no message. */
export function withoutMessage(output: RunOutput, origin: Origin): Exclude<RunOutcome, { status: "dispatched" }> {
  const { status, reason, error, errorKind, gateway, owner, runId, sessionKey, startedAt, text, attachments } = output;
  const run = {
    gateway,
    runId,
    ...(owner !== undefined && { owner }),
    ...(sessionKey !== undefined && { sessionKey }),
    origin,
    startedAt,
    text,
    ...(attachments?.length && { attachments }),
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
