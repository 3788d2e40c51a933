import { Subscriber } from "rxjs";
import type { Clock } from "../clock.ts";
import type { Activity } from "../types.ts";
import type { Flow } from "./flow.ts";
import type { FollowedRuns } from "./followed-runs.ts";

/**
 * Takes every activity of an inbox to the runs and to the machines. It is a subscriber itself: the one that
 * RxJS makes of a function takes three calls more for each of thousands of events a second.
 */
export class ActivityListener extends Subscriber<Activity> {
  /** Whether anything came since this was last set to false. */
  heard = false;
  private readonly runs: FollowedRuns;
  private readonly flow: Flow;
  private readonly clock: Clock;

  constructor(runs: FollowedRuns, flow: Flow, clock: Clock) {
    super();
    this.runs = runs;
    this.flow = flow;
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
    this.heard = true;
    this.flow.activity(activity);
    if (activity.kind === "event") return this.runs.event(activity);
    const now = this.clock.now();
    if (activity.kind === "attempt") this.runs.attempt(activity, now);
    else if (activity.kind === "joined") this.runs.joined(activity, now);
    else this.runs.retry(activity, now);
  }
}
