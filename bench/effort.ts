/** How much is measured: enough for the tables of the documentation, or only enough to notice a missed budget. */
export interface Effort {
  readonly rounds: number;
  readonly fewRounds: number;
  /** How many events are measured. A third as many warm up before. */
  readonly events: number;
  /** Numbers of live runs for the throughput table. The budgets are for 100 and 100,000. */
  readonly live: readonly number[];
  /** For the idiomatic supervisor: events to measure, by live runs. */
  readonly idiomaticEvents: Readonly<Record<number, number>>;
  readonly spawnRuns: { readonly ours: number; readonly idiomatic: number };
  readonly memoryLive: number;
  readonly latencySeconds: number;
  readonly words: readonly number[];
  /** How long each rival works in the section about what is on disk, after a second to warm up, in ms. */
  readonly durableMs: number;
  /** What has no budget, too. */
  readonly everything: boolean;
}

export const full: Effort = {
  rounds: 3,
  fewRounds: 3,
  events: 180_000,
  live: [1, 100, 10_000, 100_000],
  idiomaticEvents: { 1: 60_000, 100: 60_000, 10000: 1_000, 100000: 200 },
  spawnRuns: { ours: 2_000, idiomatic: 50 },
  memoryLive: 100_000,
  latencySeconds: 4,
  words: [1_000, 10_000, 50_000, 200_000],
  durableMs: 1_500,
  everything: true,
};

export const brief: Effort = {
  rounds: 3,
  fewRounds: 1,
  events: 60_000,
  live: [100, 100_000],
  idiomaticEvents: {},
  spawnRuns: { ours: 500, idiomatic: 10 },
  memoryLive: 20_000,
  latencySeconds: 2,
  words: [1_000, 200_000],
  durableMs: 700,
  everything: false,
};
