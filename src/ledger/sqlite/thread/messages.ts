import type { SQLInputValue } from "node:sqlite";

/** The thread's start data. */
export interface ThreadData {
  /** The real path of the ledger file. */
  readonly file: string;
  /** The lock file of an instance has this path and the instance's id. */
  readonly locks: string;
  /** This instance, and its description for people. */
  readonly id: string;
  readonly about: string;
  /** The number that marks the file as ours. */
  readonly applicationId: number;
  readonly version: number;
  readonly schema: readonly string[];
  readonly statements: Readonly<Record<string, ThreadStatement>>;
  /** How long a write waits for another process's write, in ms. */
  readonly busyMs: number;
  /** How often the thread checks whether others have written or ended, in ms. */
  readonly pollMs: number;
  /** A larger file is not checked at opening, in bytes. */
  readonly maxCheckedBytes: number;
  readonly sweepMs: number;
  /** After how many jobs that change the file its log is copied into it. */
  readonly checkpointJobs: number;
}

/** A statement with `?` for each parameter. */
export interface ThreadStatement {
  readonly sql: string;
  /** The index of the parameter for each `?`. */
  readonly order: readonly number[];
  /** It returns rows. */
  readonly reads: boolean;
  /** It changes the file. */
  readonly changes: boolean;
  /** It says that the jobs before it are in the file. So it is not run after one that failed. */
  readonly coversEarlier: boolean;
}

/** A statement by its name, and its parameters. */
export type Step = readonly [name: string, parameters: readonly SQLInputValue[]];

/** One job: its steps in turn, until one returns rows. */
export type Job = readonly Step[];

/** A request to the thread, which answers them in order. */
export type ThreadRequest =
  | { readonly ask: "open"; readonly now: number }
  | { readonly ask: "run"; readonly jobs: readonly Job[] }
  | { readonly ask: "mend"; readonly now: number }
  | { readonly ask: "close" };

/** Why something failed. `code` is SQLite's extended result code, or 0. */
export interface ThreadError {
  readonly problem: "foreign" | "newer" | "moved" | "failed";
  readonly code: number;
  readonly text: string;
}

/**
 * The result of a job: the step that returned rows, and the rows; or why it failed. A failed job may have the `rows` of
 * its last step, if they could be read.
 */
export interface JobResult {
  readonly step: number;
  readonly rows: readonly Readonly<Record<string, unknown>>[];
  readonly error?: ThreadError;
}

/** The damage in a file when it was opened. */
export interface Repair {
  /** Damage in the write-ahead log: places that were corrected, and places that could not be. */
  readonly log?: { readonly mended: number; readonly damaged: number };
  /** The damaged file was replaced by one with everything that could be read. */
  readonly file?: RepairedFile;
}

/** A damaged file was replaced by one with everything that could be read. */
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
  /** Not an answer: there are messages to claim. */
  | { readonly answer: "claimable" };
