import type { Clock } from "../../kit/clock.ts";
import { ExpiringMap } from "../../kit/expiring-map.ts";
import { isSubagent } from "../../protocol/origin.ts";
import type { Report } from "../../report/report.ts";
import type { Session } from "../../types.ts";

/** What {@link OurSessions} need. */
export interface OurSessionsOptions {
  readonly session: (sessionKey: string) => Session | undefined;
  readonly includeSubagents: boolean;
  readonly clock: Clock;
  readonly report: Pick<Report, "hostError">;
}

/** How many answers of the host's function are remembered, and for how long: a conversation may become ours. */
const MAX_REMEMBERED = 20_000;
const REMEMBERED_MS = 60_000;

/** Tells whether a session is ours; asks the host's function now and then. */
export class OurSessions {
  private readonly options: OurSessionsOptions;
  private readonly known: ExpiringMap<boolean>;

  constructor(options: OurSessionsOptions) {
    this.options = options;
    this.known = new ExpiringMap({ windowMs: REMEMBERED_MS, maxKeys: MAX_REMEMBERED, clock: options.clock });
  }

  has(sessionKey: string, spawnedBy?: string): boolean {
    if (!this.options.includeSubagents && isSubagent(sessionKey, spawnedBy)) return false;
    const known = this.known.get(sessionKey);
    if (known !== undefined) return known;
    const answer = this.ask(sessionKey);
    this.known.set(sessionKey, answer);
    return answer;
  }

  clear(): void {
    this.known.clear();
  }

  private ask(sessionKey: string): boolean {
    try {
      return this.options.session(sessionKey) !== undefined;
    } catch (error) {
      // It counts as not ours.
      this.options.report.hostError("session", error);
      return false;
    }
  }
}

/**
 * Where the history of a session lies. An isolated cron run streams under a key of its own, but
 * what it said is kept under its job's.
 */
export function historyKeyOf(sessionKey: string): string {
  return /^(agent:[^:]+:cron:[^:]+):run:./.exec(sessionKey)?.[1] ?? sessionKey;
}

/** The key that the runs of a session have live; the other way round from {@link historyKeyOf}. */
export function liveKeyOf(sessionKey: string, sessionId: string | undefined): string {
  const isJob = sessionId !== undefined && /^agent:[^:]+:cron:[^:]+$/.test(sessionKey);
  return isJob ? `${sessionKey}:run:${sessionId.toLowerCase()}` : sessionKey;
}

/** Whether subscribing makes a difference: isolated cron runs are told to everybody. */
export function isHiddenUnlessSubscribed(sessionKey: string): boolean {
  return historyKeyOf(sessionKey) === sessionKey;
}
