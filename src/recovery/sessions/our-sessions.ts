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
  readonly report: Report;
}

/**
 * How many answers of the host's function are remembered, and how long, in ms. A conversation may become ours later.
 */
const MAX_REMEMBERED = 20_000;
const REMEMBERED_MS = 60_000;

/** Knows which sessions are ours. Calls the host's function at most once a minute for each session. */
export class OurSessions {
  private readonly options: OurSessionsOptions;
  private readonly known: ExpiringMap<boolean>;

  constructor(options: OurSessionsOptions) {
    this.options = options;
    this.known = new ExpiringMap({ windowMs: REMEMBERED_MS, maxKeys: MAX_REMEMBERED, clock: options.clock });
  }

  /** `sessionKey` is the key that live events have. `spawnedBy` is the parent of a sub-agent's session. */
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
      // If the function throws, the session is not ours.
      this.options.report.hostError("session", error);
      return false;
    }
  }
}
