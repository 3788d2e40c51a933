import { isInboxError } from "../../errors.ts";
import type { Report } from "../../report/report.ts";
import type { Requests } from "../requests.ts";

/** What {@link Subscriptions} need. */
export interface SubscriptionsOptions {
  readonly requests: Requests;
  readonly report: Pick<Report, "subscribed" | "sessionOverLimit">;
  /** How many sessions of this Gateway are subscribed to at most. */
  readonly maxSessions: number;
}

/**
 * The sessions of one connection whose messages we asked for: without that, a Gateway keeps the
 * `chat` events of hidden runs (heartbeat, wake, main-session cron) to itself. They end with the
 * connection.
 */
export class Subscriptions {
  private readonly options: SubscriptionsOptions;
  private readonly sessions = new Map<string, Promise<void>>();

  constructor(options: SubscriptionsOptions) {
    this.options = options;
  }

  /** Whether no session more may be subscribed to. */
  get isFull(): boolean {
    return this.sessions.size >= this.options.maxSessions;
  }

  has(sessionKey: string): boolean {
    return this.sessions.has(sessionKey);
  }

  /** Subscribes to a session, once. Resolves when the Gateway has answered, whatever it said. */
  add(sessionKey: string): Promise<void> {
    const { report } = this.options;
    const known = this.sessions.get(sessionKey);
    if (known !== undefined) return known;
    if (this.isFull) {
      report.sessionOverLimit();
      return Promise.resolve();
    }
    const asked = this.subscribe(sessionKey);
    this.sessions.set(sessionKey, asked);
    report.subscribed(1);
    return asked;
  }

  /** The session is gone. */
  forget(sessionKey: string): void {
    if (this.sessions.delete(sessionKey)) this.options.report.subscribed(-1);
  }

  /** The connection is gone. */
  clear(): void {
    this.options.report.subscribed(-this.sessions.size);
    this.sessions.clear();
  }

  private async subscribe(sessionKey: string): Promise<void> {
    try {
      await this.options.requests.ask("sessions.messages.subscribe", { key: sessionKey }, { urgent: true });
    } catch (error) {
      // Asked again when the session is next heard of. After a lost connection there is nothing to forget.
      if (!isInboxError(error, "ERR_INBOX_NO_LINK")) this.forget(sessionKey);
    }
  }
}
