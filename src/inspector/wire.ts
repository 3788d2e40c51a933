import type { InboxStats } from "../report/counters.ts";
import type { LinkStatus, Origin } from "../types.ts";
import type { MachineName } from "./drawing.ts";

/** The state of a message's delivery. */
export type DeliveryState = "queued" | "attempting" | "waiting" | "delivered" | "dead";

/** One run, as a line of a list. Times are in ms since the epoch, by the inbox's clock. */
export interface RunRow {
  /** The inbox's number of the run. Negative for a run whose beginning was not seen; the inspector counts those. */
  readonly number: number;
  readonly gateway: string;
  readonly runId: string;
  readonly owner?: string | undefined;
  readonly sessionKey?: string | undefined;
  readonly startedAt: number;
  /** The length of its text. */
  readonly chars: number;
  readonly deltas: number;
  /** Repeats of its events that were dropped. */
  readonly duplicates: number;
  /** Events that came after its end. */
  readonly late: number;
  /** The end of its text; only with `showText`. */
  readonly tail?: string | undefined;
}

/** A run in `buffering`. */
export interface LiveRow extends RunRow {
  /** When it will be given up. */
  readonly expiresAt: number;
  /** Over the last seconds. At the first look, since the run began. */
  readonly deltasPerSecond: number;
}

/** A run that has settled. */
export interface SettledRow extends RunRow {
  readonly settledAt: number;
  readonly status: "dispatched" | "discarded" | "errored" | "aborted" | "expired" | "gone";
  /** The reason, in a few words. */
  readonly reason?: string | undefined;
  readonly messageId?: string | undefined;
  /** Absent when the run ended without an outcome. */
  readonly origin?: Origin | undefined;
  /** What its message has besides text: the number of each kind. */
  readonly attached?: string | undefined;
  /** The state of its delivery; absent without a message. */
  readonly delivery?: DeliveryState | undefined;
  /** How often the handler was called. */
  readonly attempts: number;
  /** When it will be called again; absent when it does not wait for that. */
  readonly retryAt?: number | undefined;
  /** The error of the last attempt, until one succeeds. */
  readonly error?: string | undefined;
}

/** A list that is cut to its first rows. */
export interface Rows<T> {
  readonly total: number;
  readonly rows: readonly T[];
}

/** A dead letter as a row of a list. */
export interface DeadRow {
  readonly id: string;
  readonly gateway: string;
  readonly runId: string;
  readonly sessionKey: string;
  /** When delivery gave up. */
  readonly at: number;
  readonly attempts: number;
  readonly chars: number;
  /** What it has besides text: the number of each kind. */
  readonly attached?: string;
  readonly error?: string;
}

/** A page of the dead letters, newest first. */
export interface DeadPage {
  readonly rows: readonly DeadRow[];
  readonly hasMore: boolean;
}

/** The runs that match a search, newest first. */
export interface FoundRuns {
  readonly live: Rows<LiveRow>;
  readonly settled: Rows<SettledRow>;
}

/** What happened in one second. */
export interface Sample {
  readonly at: number;
  /** Chat events that came, including duplicates and late ones. */
  readonly events: number;
  /** Messages that were dispatched. */
  readonly messages: number;
  readonly duplicates: number;
  /** At the end of the second. */
  readonly liveRuns: number;
  /**
   * The mean time from the final to the handler's success over this second's deliveries, in ms; null without a
   * delivery.
   */
  readonly latencyMs: number | null;
}

/** How many are in each state. A final state counts everything that has reached it. */
export type StateCounts = Readonly<Record<MachineName, Readonly<Record<string, number>>>>;

/**
 * What the page is sent, at most ten times per second. Unchanged lists are left out. Long lists are sent less often.
 */
export interface Update {
  /** The time by the inbox's clock. */
  readonly at: number;
  /** Since when runs are followed. Nothing earlier is known. */
  readonly since: number;
  readonly showText: boolean;
  /** What the page must send with an action. Absent when it may only show. */
  readonly action?: string | undefined;
  readonly stats: InboxStats;
  readonly states: StateCounts;
  /** How often each transition happened since the last update, by its name in the drawing. */
  readonly taken: Readonly<Record<MachineName, Readonly<Record<string, number>>>>;
  readonly links: readonly LinkStatus[];
  readonly live?: Rows<LiveRow>;
  readonly settled?: Rows<SettledRow>;
  /** The samples since the last update, or all of them when the page has just opened. */
  readonly samples: readonly Sample[];
}

/** One line of a run's timeline. */
export interface TimelineEntry {
  /** Ms since the run started. */
  readonly afterMs: number;
  readonly what:
    | { readonly kind: "joined"; readonly chars: number }
    | {
        readonly kind: "event";
        readonly state: string;
        readonly seq?: number;
        readonly effect: "taken" | "duplicate" | "after-end" | "unknown-state";
        /** The length of the text after it, and how much the text has grown. */
        readonly chars?: number;
        readonly gained?: number;
        readonly replaced?: boolean;
        readonly recovered?: boolean;
        readonly text?: string;
      }
    | {
        readonly kind: "settled";
        readonly status: SettledRow["status"];
        readonly reason?: string;
        readonly late?: boolean;
      }
    | { readonly kind: "attempt"; readonly attempt: number }
    | { readonly kind: "retry"; readonly attempt: number; readonly error: string; readonly delayMs: number }
    | { readonly kind: "delivered"; readonly attempt: number }
    | { readonly kind: "dead"; readonly attempt: number; readonly error: string };
}

/** What happened to one run, oldest first. */
export interface Timeline {
  readonly entries: readonly TimelineEntry[];
  /** How many entries were dropped, and how many of `entries` come before them. */
  readonly dropped: number;
  readonly droppedAfter: number;
}

/** Everything that is known about one run. */
export interface RunDetails extends Timeline {
  readonly run: LiveRow | SettledRow;
  /** The beginning of its text; only with `showText`. */
  readonly text?: string;
}
