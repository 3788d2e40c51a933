import type { Subscription } from "rxjs";
import type { Inbox } from "../inbox-api.ts";
import type { Clock } from "../kit/clock.ts";
import type { LedgerEntry } from "../ledger/ledger.ts";
import { ActivityListener } from "./activity-listener.ts";
import { FollowedRuns } from "./followed-runs.ts";
import { Sampler } from "./sampler.ts";
import { Flow, stateCounts } from "./transitions.ts";
import { beginningOf } from "./truncate.ts";
import type { DeadRow, LiveRow, Rows, RunDetails, SettledRow, Update } from "./wire.ts";

/** Dead letters that are shown, and how often the ledger is asked for them at most, in ms. */
const MAX_DEAD_ROWS = 100;
const DEAD_PAUSE_MS = 2_000;
const ERROR_CHARS = 300;

/**
 * How long until pages are told again, at least, and until a list is made anew, in ms: while there is little to see;
 * beside more rows than {@link MANY_ROWS}, which nobody reads faster; beside more live runs than {@link MANY_RUNS}.
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
  dead: number;
  samples: number;
}

/** What every page of one tick is sent alike. */
export type SharedUpdate = Omit<Update, "live" | "settled" | "dead" | "samples">;

/** Looks at an inbox: from its creation until `close`, it follows every run. */
export class Watch {
  private readonly inbox: Inbox;
  private readonly clock: Clock;
  private readonly showText: boolean;
  private readonly since: number;
  private readonly runs: FollowedRuns;
  private readonly flow = new Flow();
  private readonly listener: ActivityListener;
  private readonly sampler: Sampler;
  private readonly subscriptions: readonly Subscription[];
  private readonly live = versioned<LiveRow>();
  private readonly settled = versioned<SettledRow>();
  private readonly dead = versioned<DeadRow>();
  private settledSeen = 0;
  private listedAt = 0;
  private askDeadAt = 0;
  private sampledAt: number;
  private changed = true;
  private closed = false;

  constructor(inbox: Inbox, clock: Clock, showText: boolean) {
    this.inbox = inbox;
    this.clock = clock;
    this.showText = showText;
    this.since = clock.now();
    this.sampledAt = this.since;
    this.runs = new FollowedRuns(showText);
    this.listener = new ActivityListener(this.runs, this.flow, clock);
    this.sampler = new Sampler(inbox.stats());
    this.flow.linksAre(inbox.links());
    this.subscriptions = [
      inbox.activity$.subscribe(this.listener),
      inbox.outcomes$.subscribe((outcome) => {
        this.changed = true;
        this.flow.outcome(outcome);
        this.runs.outcome(outcome, clock.now());
      }),
      inbox.deliveries$.subscribe((outcome) => {
        this.changed = true;
        this.flow.delivery(outcome);
        this.runs.delivery(outcome, clock.now());
        if (outcome.status === "delivered") this.sampler.delivered(clock.now() - outcome.message.completedAt);
        else this.askDeadAt = 0;
      }),
      inbox.links$.subscribe((link) => {
        this.changed = true;
        this.flow.link(link);
      }),
    ];
  }

  /** Whether there is something new to show; asking makes it old. Once a second there always is. */
  takeChange(): boolean {
    const now = this.clock.now();
    if (now - this.sampledAt >= 1_000) {
      this.sampledAt = now;
      this.sample(now);
      return true;
    }
    const changed = this.changed || this.listener.heard;
    this.changed = false;
    this.listener.heard = false;
    return changed;
  }

  /** How long to wait with the next update, in ms. */
  get pauseMs(): number {
    return this.pace.pauseMs;
  }

  private get pace(): typeof CALM {
    if (this.live.list.total > MANY_RUNS) return CROWDED;
    return this.live.list.rows.length + this.settled.list.rows.length > MANY_ROWS ? BUSY : CALM;
  }

  /** What all pages are sent alike. Counts of transitions are taken along: ask once a tick. */
  shared(): SharedUpdate {
    const at = this.clock.now();
    const stats = this.inbox.stats();
    const links = this.inbox.links();
    this.list(stats.liveRuns, at);
    return {
      at,
      since: this.since,
      showText: this.showText,
      stats,
      states: stateCounts(stats, links),
      taken: this.flow.take(this.runs.journal.deltas),
      links,
    };
  }

  /** The update of one page: what all get, and what this one has not seen. */
  updateFor(shared: SharedUpdate, seen: Seen): Update {
    const update: Update = {
      ...shared,
      ...(seen.live !== this.live.version && { live: this.live.list }),
      ...(seen.settled !== this.settled.version && { settled: this.settled.list }),
      ...(seen.dead !== this.dead.version && { dead: this.dead.list }),
      samples: this.sampler.since(seen.samples),
    };
    seen.live = this.live.version;
    seen.settled = this.settled.version;
    seen.dead = this.dead.version;
    seen.samples = this.sampler.count;
    return update;
  }

  details(id: number): RunDetails | undefined {
    return this.runs.details(id, this.clock.now());
  }

  close(): void {
    this.closed = true;
    for (const subscription of this.subscriptions) subscription.unsubscribe();
  }

  /** Makes the lists of runs anew: each time while they are short. */
  private list(liveRuns: number, now: number): void {
    if (now - this.listedAt < this.pace.listPauseMs) return;
    this.listedAt = now;
    put(this.live, this.runs.liveRows(liveRuns, now));
    if (this.settledSeen === this.runs.settledVersion) return;
    this.settledSeen = this.runs.settledVersion;
    put(this.settled, this.runs.settledRows());
  }

  private sample(now: number): void {
    const stats = this.inbox.stats();
    this.sampler.sample(now, stats);
    this.runs.endSilent(now);
    if (now < this.askDeadAt) return;
    this.askDeadAt = now + DEAD_PAUSE_MS;
    void this.readDead();
  }

  private async readDead(): Promise<void> {
    try {
      const letters = await this.inbox.deadLetters();
      if (this.closed) return;
      put(this.dead, { total: letters.length, rows: letters.slice(-MAX_DEAD_ROWS).reverse().map(deadRow) });
      this.changed = true;
    } catch {
      // The ledger says so itself, in the log and as an alarm; the last list stays.
    }
  }
}

/** A list, and how often it has been made anew. */
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

function deadRow({ message, at, attempts, error }: LedgerEntry): DeadRow {
  const { id, gateway, runId, sessionKey, text } = message;
  return {
    id,
    gateway,
    runId,
    sessionKey,
    at,
    attempts,
    chars: text.length,
    ...(error !== undefined && { error: beginningOf(error, ERROR_CHARS) }),
  };
}
