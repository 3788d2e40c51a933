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

/** How many answers of the host's function are remembered, and for how long: a conversation may become ours. */
const MAX_REMEMBERED = 20_000;
const REMEMBERED_MS = 60_000;

/** Tells whether a session is ours. Asks the host's function at most once a minute for each session. */
export class OurSessions {
  private readonly options: OurSessionsOptions;
  private readonly known: ExpiringMap<boolean>;

  constructor(options: OurSessionsOptions) {
    this.options = options;
    this.known = new ExpiringMap({ windowMs: REMEMBERED_MS, maxKeys: MAX_REMEMBERED, clock: options.clock });
  }

  /** `sessionKey`: as live events name the session. `spawnedBy`: its parent, of a sub-agent's. */
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
      // A throw counts as not ours.
      this.options.report.hostError("session", error);
      return false;
    }
  }
}
