import type { Origin } from "../types.ts";

/** Where a run came from, as far as its id and its session key tell. */
export function originOf(runId: string, sessionKey: string | undefined): Origin {
  if (runId.startsWith("inject-")) return "injected";
  if (runId.startsWith("announce:")) return "announcement";
  if (runId.startsWith("cron:") || /^agent:[^:]+:cron:/.test(sessionKey ?? "")) return "cron";
  return "unknown";
}

/** Whether a run is a sub-agent's own: internal, as its parent's announcement is the message. */
export function isSubagent(sessionKey: string | undefined, spawnedBy: string | undefined): boolean {
  return spawnedBy !== undefined || (sessionKey?.includes(":subagent:") ?? false);
}
