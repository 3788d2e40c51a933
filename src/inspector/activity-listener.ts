import { Subscriber } from "rxjs";
import type { Clock } from "../clock.ts";
import type { Activity } from "../types.ts";
import type { Flow } from "./flow.ts";
import type { FollowedRuns } from "./followed-runs.ts";
import type { Journal } from "./journal.ts";

/**
 * Takes every activity of an inbox to the runs and to the machines. It is a subscriber itself: the one that
 * RxJS makes of a function takes three calls more for each of thousands of events a second.
 */
export class ActivityListener extends Subscriber<Activity> {
  /** Whether anything but deltas came since this was last set to false; the journal counts those. */
  heard = false;
  private readonly runs: FollowedRuns;
  private readonly flow: Flow;
  private readonly journal: Journal;
  private readonly clock: Clock;

  constructor(runs: FollowedRuns, flow: Flow, journal: Journal, clock: Clock) {
    super();
    this.runs = runs;
    this.flow = flow;
    this.journal = journal;
    this.clock = clock;
  }

  override next(activity: Activity): void {
    if (this.closed) return;
    try {
      this.note(activity);
    } catch (error) {
      // As RxJS does with a throwing observer: it is nothing that the inbox could mend, or should stop for.
      setTimeout(() => {
        throw error;
      });
    }
  }

  override complete(): void {
    this.heard = true;
    this.runs.endAll(this.clock.now());
    super.complete();
  }

  private note(activity: Activity): void {
    const now = this.clock.now();
    if (activity.kind === "event" && activity.progress !== undefined && activity.event.state === "delta") {
      // They come by the thousand, of many runs in turn: nothing of the run itself is touched, which would be in no cache.
      this.journal.addDelta(activity.progress, now, activity.event);
      if (activity.progress.deltas === 1) this.runs.follow(activity, now);
      return;
    }
    this.heard = true;
    this.flow.activity(activity);
    if (activity.kind === "event") this.runs.event(activity, now);
    else if (activity.kind === "attempt") this.runs.attempt(activity, now);
    else if (activity.kind === "joined") this.runs.joined(activity, now);
    else this.runs.retry(activity, now);
  }
}
