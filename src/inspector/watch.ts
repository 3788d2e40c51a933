import type { Subscription } from "rxjs";
import type { Inbox } from "../inbox-api.ts";
import type { Clock } from "../kit/clock.ts";
import { ActivityListener } from "./activity-listener.ts";
import type { FollowedRuns } from "./followed-runs.ts";
import { Sampler } from "./sampler.ts";
import { stateCounts, Transitions } from "./transitions.ts";
import type { LiveRow, Rows, SettledRow, Update } from "./wire.ts";

/**
 * The shortest time between two updates, and between two lists, in ms. `BUSY` is for more than {@link MANY_ROWS} rows,
 * which nobody can read faster. `CROWDED` is for more than {@link MANY_RUNS} live runs.
 */
const CALM = { pauseMs: 100, listPauseMs: 0 };
const BUSY = { pauseMs: 333, listPauseMs: 1_000 };
const CROWDED = { pauseMs: 1_000, listPauseMs: 3_000 };
const MANY_ROWS = 30;
const MANY_RUNS = 1_000;

/** What one page has been sent already. */
export interface Seen {
  live: number;
  settled: number;
  samples: number;
}

/** The part of an update that all pages get at the same time. */
export type SharedUpdate = Omit<Update, "live" | "settled" | "samples" | "showText" | "action">;

/**
 * Tells `runs` how runs end and how their deliveries go, whether a page is open or not. It ends when it is
 * unsubscribed.
 */
export function followEnds(inbox: Inbox, clock: Clock, runs: FollowedRuns): Subscription {
  const following = inbox.outcomes$.subscribe((outcome) => runs.outcome(outcome, clock.now()));
  following.add(inbox.deliveries$.subscribe((outcome) => runs.delivery(outcome, clock.now())));
  return following;
}

/** Watches an inbox for open pages. Each event of each run is followed until `close`. */
export class Watch {
  private readonly inbox: Inbox;
  private readonly clock: Clock;
  private readonly since: number;
  private readonly runs: FollowedRuns;
  private readonly transitions: Transitions;
  private readonly listener: ActivityListener;
  private readonly sampler: Sampler;
  private readonly subscriptions: readonly Subscription[];
  private readonly live = versioned<LiveRow>();
  private readonly settled = versioned<SettledRow>();
  private settledSeen = 0;
  private listedAt = 0;
  private sampledAt: number;
  private changed = true;

  constructor(inbox: Inbox, clock: Clock, runs: FollowedRuns) {
    this.inbox = inbox;
    this.clock = clock;
    this.since = clock.now();
    this.sampledAt = this.since;
    this.runs = runs;
    this.transitions = new Transitions(runs.journal.deltas);
    this.listener = new ActivityListener(runs, this.transitions, clock);
    this.sampler = new Sampler(inbox.stats());
    this.transitions.linksAre(inbox.links());
    this.subscriptions = [
      inbox.activity$.subscribe(this.listener),
      inbox.outcomes$.subscribe((outcome) => {
        this.changed = true;
        this.transitions.outcome(outcome);
      }),
      inbox.deliveries$.subscribe((outcome) => {
        this.changed = true;
        this.transitions.delivery(outcome);
        if (outcome.status === "delivered") this.sampler.delivered(clock.now() - outcome.message.completedAt);
      }),
      inbox.links$.subscribe((link) => {
        this.changed = true;
        this.transitions.link(link);
      }),
    ];
  }

  /**
   * Whether there is something new to show. Only the first call after a change returns true. Once per second it always
   * does.
   */
  takeChange(): boolean {
    const now = this.clock.now();
    if (now - this.sampledAt >= 1_000) {
      this.sampledAt = now;
      this.sampler.sample(now, this.inbox.stats());
      this.runs.endSilent(now);
      return true;
    }
    const changed = this.changed || this.listener.heard;
    this.changed = false;
    this.listener.heard = false;
    return changed;
  }

  /** How long to wait before the next update, in ms. */
  get pauseMs(): number {
    return this.pace.pauseMs;
  }

  private get pace(): typeof CALM {
    if (this.live.list.total > MANY_RUNS) return CROWDED;
    return this.live.list.rows.length + this.settled.list.rows.length > MANY_ROWS ? BUSY : CALM;
  }

  /** The part of the update that all pages get. It takes the counts of transitions, so call it once per tick. */
  shared(): SharedUpdate {
    const at = this.clock.now();
    const stats = this.inbox.stats();
    const links = this.inbox.links();
    this.list(stats.liveRuns, at);
    return {
      at,
      since: this.since,
      stats,
      states: stateCounts(stats, links),
      taken: this.transitions.take(this.runs.journal.deltas),
      links,
    };
  }

  /** The update for one page: the shared part, and what this page has not seen. */
  updateFor(shared: SharedUpdate, seen: Seen): SharedUpdate & Pick<Update, "live" | "settled" | "samples"> {
    const update = {
      ...shared,
      ...(seen.live !== this.live.version && { live: this.live.list }),
      ...(seen.settled !== this.settled.version && { settled: this.settled.list }),
      samples: this.sampler.since(seen.samples),
    };
    seen.live = this.live.version;
    seen.settled = this.settled.version;
    seen.samples = this.sampler.count;
    return update;
  }

  close(): void {
    for (const subscription of this.subscriptions) subscription.unsubscribe();
    this.runs.unwatched();
  }

  /** Makes the lists of runs again. Short lists are made at every call. */
  private list(liveRuns: number, now: number): void {
    if (now - this.listedAt < this.pace.listPauseMs) return;
    this.listedAt = now;
    put(this.live, this.runs.liveRows(liveRuns, now));
    if (this.settledSeen === this.runs.settledVersion) return;
    this.settledSeen = this.runs.settledVersion;
    put(this.settled, this.runs.settledRows());
  }
}

/** A list, and how often it has been made. */
interface Versioned<T> {
  list: Rows<T>;
  version: number;
}

function versioned<T>(): Versioned<T> {
  return { list: { total: 0, rows: [] }, version: 1 };
}

function put<T>(versioned: Versioned<T>, list: Rows<T>): void {
  versioned.list = list;
  versioned.version += 1;
}
