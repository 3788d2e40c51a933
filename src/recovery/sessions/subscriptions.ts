import { isInboxError } from "../../errors.ts";
import type { Report } from "../../report/report.ts";
import type { Requests } from "../requests.ts";
import { type Address, addressName } from "./address.ts";

/** What {@link Subscriptions} need. */
export interface SubscriptionsOptions {
  readonly requests: Requests;
  readonly report: Report;
  /** The most sessions of this Gateway that are subscribed to. */
  readonly maxSessions: number;
}

/**
 * The sessions that one connection has subscribed to. Without a subscription, a Gateway does not send the `chat` events
 * of hidden runs (heartbeat, wake, main-session cron). Subscriptions end with the connection.
 */
export class Subscriptions {
  private readonly options: SubscriptionsOptions;
  private readonly sessions = new Map<string, Promise<void>>();

  constructor(options: SubscriptionsOptions) {
    this.options = options;
  }

  has(address: Address): boolean {
    return this.sessions.has(addressName(address));
  }

  /** Subscribes to a session, once. Resolves when the Gateway has answered, even if it refused. */
  add(address: Address): Promise<void> {
    const { report, maxSessions } = this.options;
    const name = addressName(address);
    const known = this.sessions.get(name);
    if (known !== undefined) return known;
    if (this.sessions.size >= maxSessions) {
      report.sessionOverLimit();
      return Promise.resolve();
    }
    const asked = this.subscribe(address);
    this.sessions.set(name, asked);
    report.subscribed(1);
    return asked;
  }

  /** The session was deleted. */
  forget(address: Address): void {
    if (this.sessions.delete(addressName(address))) this.options.report.subscribed(-1);
  }

  /** The connection is lost. */
  clear(): void {
    this.options.report.subscribed(-this.sessions.size);
    this.sessions.clear();
  }

  private async subscribe(address: Address): Promise<void> {
    try {
      await this.options.requests.ask("sessions.messages.subscribe", { ...address }, { urgent: true });
    } catch (error) {
      // The next event of the session asks again. After a lost connection there is nothing to remove.
      if (!isInboxError(error, "ERR_INBOX_NO_LINK")) this.forget(address);
    }
  }
}
