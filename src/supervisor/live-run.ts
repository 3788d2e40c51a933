import type { RunContext } from "../../machines/run.ts";
import type { LiveRun } from "../types.ts";

/** A run in `buffering` as a host sees it. */
export function liveRun({ runId, gateway, owner, sessionKey, text, startedAt }: RunContext): LiveRun {
  return {
    runId,
    gateway,
    ...(owner !== undefined && { owner }),
    ...(sessionKey !== undefined && { sessionKey }),
    text,
    startedAt,
  };
}
