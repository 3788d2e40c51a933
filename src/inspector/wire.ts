import type { InboxStats } from "../report/counters.ts";
import type { LinkStatus, Origin } from "../types.ts";
import type { MachineName } from "./drawing.ts";

/** What became of a run's message after it was dispatched. */
export type DeliveryState = "queued" | "attempting" | "waiting" | "delivered" | "dead";

/** One run, as a line of a list. Times are in ms since the epoch, by the inbox's clock. */
export interface RunRow {
  /** The inbox's number of the run; below 0, a number of the inspector's, for one that nobody saw begin. */
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
  /** When it is given up. */
  readonly expiresAt: number;
  /** Of the last seconds; at the first look, since it began. */
  readonly deltasPerSecond: number;
}

/** A run that has settled. */
export interface SettledRow extends RunRow {
  readonly settledAt: number;
  readonly status: "dispatched" | "discarded" | "errored" | "aborted" | "expired" | "gone";
  /** Why, in a few words. */
  readonly reason?: string | undefined;
  readonly messageId?: string | undefined;
  readonly origin?: Origin | undefined;
  /** How its message fares; absent without one. */
  readonly delivery?: DeliveryState | undefined;
  /** How often the handler was called. */
  readonly attempts: number;
  /** Of the last attempt, while none has succeeded. */
  readonly error?: string | undefined;
}

/** A list that was cut to its first rows. */
export interface Rows<T> {
  readonly total: number;
  readonly rows: readonly T[];
}

/** A dead letter, as a line of a list. */
export interface DeadRow {
  readonly id: string;
  readonly gateway: string;
  readonly runId: string;
  readonly sessionKey: string;
  /** When delivery gave up. */
  readonly at: number;
  readonly attempts: number;
  readonly chars: number;
  readonly error?: string;
}

/** A page of the dead letters, in the order in which they were taken on. */
export interface DeadPage {
  readonly rows: readonly DeadRow[];
  readonly hasMore: boolean;
}

/** The runs that fit what somebody looks for, the newest first. */
export interface FoundRuns {
  readonly live: Rows<LiveRow>;
  readonly settled: Rows<SettledRow>;
}

/** What one second came to. */
export interface Sample {
  readonly at: number;
  /** Chat events that came, repeats and late ones included. */
  readonly events: number;
  /** Messages dispatched. */
  readonly messages: number;
  readonly duplicates: number;
  /** At the end of the second. */
  readonly liveRuns: number;
  /** From the final to the handler's success, the mean over this second's deliveries, in ms; null without one. */
  readonly latencyMs: number | null;
}

/** How many are in each state now; final states count what has reached them. */
export type StateCounts = Readonly<Record<MachineName, Readonly<Record<string, number>>>>;

/** What the page is sent, at most ten times a second. Lists that are as they were sent last are left out; long ones are made anew more rarely. */
export interface Update {
  /** The inbox's time. */
  readonly at: number;
  /** Since when runs are followed: nothing is known of what was before. */
  readonly since: number;
  readonly showText: boolean;
  /** What a page must send to act; absent where it may only look. */
  readonly action?: string | undefined;
  readonly stats: InboxStats;
  readonly states: StateCounts;
  /** How often each transition was taken since the last update, by its name in its drawing. */
  readonly taken: Readonly<Record<MachineName, Readonly<Record<string, number>>>>;
  readonly links: readonly LinkStatus[];
  readonly live?: Rows<LiveRow>;
  readonly settled?: Rows<SettledRow>;
  /** Those since the last update; all that are kept when the page has just opened. */
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
        /** The length of the text after it, and by how much it changed. */
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
  /** Entries that were let go, and how many of `entries` came before them. */
  readonly dropped: number;
  readonly droppedAfter: number;
}

/** Everything that is known of one run. */
export interface RunDetails extends Timeline {
  readonly run: LiveRow | SettledRow;
  /** The beginning of its text; only with `showText`. */
  readonly text?: string;
}
