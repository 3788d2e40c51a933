import type { Clock } from "../kit/clock.ts";
import type { Activity } from "../types.ts";
import type { FollowedRuns } from "./followed-runs.ts";
import type { Flow } from "./transitions.ts";

/** Takes every activity of an inbox to the runs and to the machines. */
export class ActivityListener {
  /** Whether anything came since this was last set to false. */
  heard = false;
  private readonly runs: FollowedRuns;
  private readonly flow: Flow;
  private readonly clock: Clock;

  constructor(runs: FollowedRuns, flow: Flow, clock: Clock) {
    this.runs = runs;
    this.flow = flow;
    this.clock = clock;
  }

  next(activity: Activity): void {
    this.heard = true;
    if (activity.kind === "event") return this.runs.event(activity);
    this.flow.activity(activity);
    const now = this.clock.now();
    if (activity.kind === "attempt") this.runs.attempt(activity, now);
    else if (activity.kind === "joined") this.runs.joined(activity, now);
    else this.runs.retry(activity, now);
  }

  complete(): void {
    this.heard = true;
    this.runs.endAll(this.clock.now());
  }
}
