import type { Faults } from "./faulty-wire.ts";

/** What is put to the test. */
export interface Mode {
  readonly title: string;
  /** How many hosts hear the Gateway. */
  readonly hosts: number;
  /** One ledger for all of them, or each its own and a queue in Redis for all, or one in Postgres for all. */
  readonly shares: "ledger" | "queue" | "postgres";
  /** The handler is not idempotent, and writes in the ledger's transaction. Default false. */
  readonly transactional?: boolean;
  /** Faults of the wire that are likelier than in the other modes. */
  readonly faults?: Partial<Faults>;
  /** How often the server is stopped at once and started again, and a host stands still for a while. Default 0. */
  readonly halts?: number;
  readonly pauses?: number;
  readonly shortHalts?: number;
  readonly shortPauses?: number;
  readonly runs: number;
  /** The same in a short check. */
  readonly shortRuns: number;
  /** Runs a second at most, all sessions together. */
  readonly perSecond: number;
  readonly sessions: number;
  /** How many lives are ended by `kill -9`. Default 0. */
  readonly kills?: number;
  readonly shortKills?: number;
}

/** What the wire does wrong, unless the mode says otherwise. */
export const FAULTS: Faults = {
  repeat: 0.03,
  dropDelta: 0.05,
  dropFinal: 0.003,
  hold: 0.01,
  garbage: 0.002,
  slow: 0.000_1,
  cut: 0.000_02,
};

export const MODES = {
  one: {
    title: "one process with one ledger",
    hosts: 1,
    shares: "ledger",
    runs: 100_000,
    shortRuns: 1_500,
    perSecond: 2_000,
    sessions: 200,
  },
  cuts: {
    title: "one process with one ledger, often cut off, while sessions begin",
    hosts: 1,
    shares: "ledger",
    faults: { dropFinal: 0.02, hold: 0.05, cut: 0.000_6 },
    runs: 20_000,
    shortRuns: 1_500,
    perSecond: 150,
    sessions: 2_000,
  },
  shared: {
    title: "three processes on one ledger",
    hosts: 3,
    shares: "ledger",
    runs: 30_000,
    shortRuns: 700,
    perSecond: 1_000,
    sessions: 200,
  },
  queue: {
    title: "three processes with a ledger each, on one Redis through BullMQ",
    hosts: 3,
    shares: "queue",
    runs: 30_000,
    shortRuns: 700,
    perSecond: 1_000,
    sessions: 200,
  },
  kill: {
    title: "one process, killed and started again",
    hosts: 1,
    shares: "ledger",
    runs: 20_000,
    shortRuns: 400,
    perSecond: 100,
    sessions: 50,
    kills: 100,
    shortKills: 4,
  },
  "kill-shared": {
    title: "three processes on one ledger, each killed and started again",
    hosts: 3,
    shares: "ledger",
    runs: 10_000,
    shortRuns: 300,
    perSecond: 60,
    sessions: 50,
    kills: 60,
    shortKills: 3,
  },
  postgres: {
    title: "three processes on one Postgres, which stand still now and then",
    hosts: 3,
    shares: "postgres",
    runs: 30_000,
    shortRuns: 500,
    perSecond: 600,
    sessions: 50,
    pauses: 20,
    shortPauses: 2,
  },
  "postgres-kill": {
    title: "three processes on one Postgres, each killed and started again",
    hosts: 3,
    shares: "postgres",
    runs: 10_000,
    shortRuns: 200,
    perSecond: 60,
    sessions: 30,
    kills: 60,
    shortKills: 3,
  },
  "postgres-exact": {
    title: "three processes on one Postgres, killed, with a handler that is not idempotent but transactional",
    hosts: 3,
    shares: "postgres",
    transactional: true,
    runs: 20_000,
    shortRuns: 200,
    perSecond: 60,
    sessions: 30,
    kills: 300,
    shortKills: 3,
  },
  "postgres-storm": {
    title: "the same, and the server is stopped at once and started again, and hosts stand still",
    hosts: 3,
    shares: "postgres",
    transactional: true,
    runs: 10_000,
    shortRuns: 200,
    perSecond: 60,
    sessions: 30,
    kills: 60,
    shortKills: 2,
    halts: 20,
    pauses: 20,
    shortHalts: 1,
    shortPauses: 1,
  },
} as const satisfies Readonly<Record<string, Mode>>;

export type ModeName = keyof typeof MODES;
