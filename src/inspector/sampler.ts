import type { InboxStats } from "../report/counters.ts";
import type { Sample } from "./wire.ts";

/** How many samples are kept: one per second for five minutes. */
const MAX_SAMPLES = 300;

/** Makes one {@link Sample} per second. */
export class Sampler {
  /** How many samples were made in all. */
  count = 0;
  private readonly samples: Sample[] = [];
  private latencySumMs = 0;
  private latencies = 0;
  private before: InboxStats;

  constructor(stats: InboxStats) {
    this.before = stats;
  }

  delivered(latencyMs: number): void {
    this.latencySumMs += latencyMs;
    this.latencies += 1;
  }

  sample(at: number, stats: InboxStats): void {
    const { before } = this;
    this.samples.push({
      at,
      events: eventsIn(stats) - eventsIn(before),
      messages: stats.dispatched - before.dispatched,
      duplicates: stats.duplicates - before.duplicates,
      liveRuns: stats.liveRuns,
      latencyMs: this.latencies === 0 ? null : Math.round((this.latencySumMs / this.latencies) * 10) / 10,
    });
    if (this.samples.length > MAX_SAMPLES) this.samples.shift();
    this.count += 1;
    this.before = stats;
    this.latencySumMs = 0;
    this.latencies = 0;
  }

  /** The samples after the first `seen` ones, as far as they are kept. */
  since(seen: number): readonly Sample[] {
    const fresh = Math.min(this.count - seen, this.samples.length);
    return fresh === 0 ? [] : this.samples.slice(-fresh);
  }
}

/** Every chat event, duplicates included. `events` does not count those. */
function eventsIn({ events, duplicates }: InboxStats): number {
  return events + duplicates;
}
