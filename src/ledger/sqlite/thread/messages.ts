import type { SQLInputValue } from "node:sqlite";

/** What the thread is started with. */
export interface ThreadData {
  /** The ledger file, its real path. */
  readonly file: string;
  /** The lock file of an instance is this and its id. */
  readonly locks: string;
  /** This instance, and what people should know of it. */
  readonly id: string;
  readonly about: string;
  /** By which the file is known to be ours. */
  readonly applicationId: number;
  readonly version: number;
  readonly schema: readonly string[];
  readonly statements: Readonly<Record<string, ThreadStatement>>;
  /** How long a write waits for another process's, in ms. */
  readonly busyMs: number;
  /** How often it is looked whether others wrote, and whether they live, in ms. */
  readonly pollMs: number;
  /** A larger file is not checked as it is opened, in bytes. */
  readonly maxCheckedBytes: number;
  readonly sweepMs: number;
  /** So many jobs that change the file are written between two checkpoints of its log. */
  readonly checkpointJobs: number;
}

/** A statement with `?` for each parameter. */
export interface ThreadStatement {
  readonly sql: string;
  /** Which parameter, from 0, stands at each `?`. */
  readonly order: readonly number[];
  /** It gives rows. */
  readonly reads: boolean;
  /** It changes the file. */
  readonly changes: boolean;
}

/** A statement by its name, and its parameters. */
export type Step = readonly [name: string, parameters: readonly SQLInputValue[]];

/** One thing to do: its steps in turn, until one gives rows. */
export type Job = readonly Step[];

/** What is asked of the thread; it answers each in turn. */
export type ThreadRequest =
  | { readonly ask: "open"; readonly now: number }
  | { readonly ask: "run"; readonly jobs: readonly Job[] }
  | { readonly ask: "mend"; readonly now: number }
  | { readonly ask: "close" };

/** Why something could not be done. `code`: SQLite's extended result code, or 0. */
export interface ThreadError {
  readonly problem: "foreign" | "newer" | "moved" | "failed";
  readonly code: number;
  readonly text: string;
}

/** What became of a job: the step that gave rows, and those; or why it failed. `rows` of a failed one: of its last step, where that could be read. */
export interface JobResult {
  readonly step: number;
  readonly rows: readonly Readonly<Record<string, unknown>>[];
  readonly error?: ThreadError;
}

/** What was wrong with a file as it was opened. */
export interface Repair {
  /** Places of the write-ahead log: those that were mended, and those that could not be. */
  readonly log?: { readonly mended: number; readonly damaged: number };
  /** The damaged file was replaced by one with everything that could be read of it. */
  readonly file?: RepairedFile;
}

/** A damaged file was replaced by one with everything that could be read of it. */
export interface RepairedFile {
  /** Where the damaged file is now. */
  readonly kept: string;
  /** Ids of messages that could not be read. */
  readonly lost: readonly string[];
  /** How many bookmarks could not be read. */
  readonly lostBookmarks: number;
}

export type ThreadAnswer =
  | { readonly answer: "done"; readonly results: readonly JobResult[]; readonly repair?: Repair }
  | { readonly answer: "failed"; readonly error: ThreadError }
  /** Not an answer: something can be claimed. */
  | { readonly answer: "claimable" };
