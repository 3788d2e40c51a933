import type { Origin } from "../types.ts";

/** Where a run came from, as far as its id and its session key say. */
export function originOf(runId: string, sessionKey: string | undefined): Origin {
  if (runId.startsWith("inject-")) return "injected";
  if (runId.startsWith("announce:")) return "announcement";
  if (runId.startsWith("cron:") || /^agent:[^:]+:cron:/.test(sessionKey ?? "")) return "cron";
  return "unknown";
}

/** The id of the run's cron job, as far as the run id and the session key say it. */
export function jobIdOf(runId: string, sessionKey: string | undefined): string | undefined {
  return /^agent:[^:]+:cron:([^:]+)/i.exec(sessionKey ?? "")?.[1] ?? /^cron:(.+?):\d+(?::|$)/.exec(runId)?.[1];
}

/**
 * Whether a run belongs to a sub-agent. Such a run is internal: the announcement in its parent's session is the
 * message.
 */
export function isSubagent(sessionKey: string | undefined, spawnedBy: string | undefined): boolean {
  return spawnedBy !== undefined || (sessionKey?.includes(":subagent:") ?? false);
}
