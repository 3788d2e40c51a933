import type { RunContext } from "../../machines/run.ts";
import type { Clock } from "../kit/clock.ts";
import type { DiscardReason, Origin, ProactiveMessage, Session } from "../types.ts";
import { messageId } from "./message-id.ts";

/** A run whose text is complete and not blank. */
export interface FinishedRun
  extends Pick<RunContext, "gateway" | "owner" | "runId" | "sessionKey" | "startedAt" | "text"> {
  readonly late: boolean;
  readonly recovered: boolean;
  readonly origin: Origin;
}

/** Says what a finished run is to this host: a message, or why it is not one. */
export type Judge = (run: FinishedRun) => ProactiveMessage | DiscardReason;

export interface JudgeOptions {
  readonly clock: Clock;
  readonly session: (sessionKey: string) => Session | undefined;
  readonly accept: (message: ProactiveMessage) => boolean;
  /** One of the two functions above threw. */
  readonly onHostError: (option: "session" | "accept", error: unknown) => void;
}

export function createJudge({ clock, session, accept, onHostError }: JudgeOptions): Judge {
  /** What `read` returns, or `otherwise` when it throws. */
  function guarded<T>(option: "session" | "accept", read: () => T, otherwise: T): T {
    try {
      return read();
    } catch (error) {
      onHostError(option, error);
      return otherwise;
    }
  }

  return ({ gateway, owner, runId, sessionKey, startedAt, text, late, recovered, origin }) => {
    // Without an address there is no right place to hand it over to.
    if (sessionKey === undefined) return "unroutable";
    const read = guarded("session", () => session(sessionKey), undefined);
    if (read === undefined) return "unroutable";
    const message: ProactiveMessage = {
      id: messageId(gateway, runId),
      gateway,
      ...(owner !== undefined && { owner }),
      runId,
      sessionKey,
      session: read,
      text,
      startedAt,
      completedAt: clock.now(),
      late,
      recovered,
      origin,
    };
    // A bug in the host's function must not lose a message.
    return guarded("accept", () => accept(message), true) ? message : "declined";
  };
}
