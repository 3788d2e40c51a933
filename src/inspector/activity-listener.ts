import type { Clock } from "../kit/clock.ts";
import type { Activity } from "../types.ts";
import type { FollowedRuns } from "./followed-runs.ts";
import type { Transitions } from "./transitions.ts";

/** Passes every activity of an inbox to the followed runs and to the machines. */
export class ActivityListener {
  /** Whether anything has come since this was last set to false. */
  heard = false;
  private readonly runs: FollowedRuns;
  private readonly transitions: Transitions;
  private readonly clock: Clock;

  constructor(runs: FollowedRuns, transitions: Transitions, clock: Clock) {
    this.runs = runs;
    this.transitions = transitions;
    this.clock = clock;
  }

  next(activity: Activity): void {
    this.heard = true;
    if (activity.kind === "event") return this.runs.event(activity);
    this.transitions.activity(activity);
    const now = this.clock.now();
    if (activity.kind === "attempt") this.runs.attempt(activity, now);
    else if (activity.kind === "joined") this.runs.joined(activity, now);
    else if (activity.kind === "delivering") this.runs.delivering(activity, now);
    else this.runs.retry(activity, now);
  }

  complete(): void {
    this.heard = true;
    this.runs.endAll(this.clock.now());
  }
}
