import { closeSync, openSync, realpathSync, statfsSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import type * as Lmdb from "lmdb";
import { errorText, InboxError } from "../errors.ts";
import { checkLedgerFile, FORMAT, META_KEY, openError } from "./lmdb-check.ts";
import type { Holder } from "./lmdb-holder.ts";

/** What the file says of one id. */
export interface EntryRecord {
  /** `dropped`: a dead letter that a person dismissed; only its id is still known. */
  readonly state: "taken" | "delivered" | "dead" | "dropped";
  readonly attempts: number;
  /** When `state` was reached, in ms since the epoch. */
  readonly at: number;
  /** Rises with each message that a holder takes on, so that those of one millisecond keep their order. */
  readonly order: number;
  /** Whose it is while `taken`. */
  readonly holder?: number;
  readonly error?: string;
}

/** A cursor as it is stored. */
export interface CursorRecord {
  readonly value: string;
  /** When it was set, in ms since the epoch; old ones are pruned. */
  readonly at: number;
}

/** What `taken` entries belong to: `[holder, order, key of the entry]`. */
export type TakenRow = [holder: number, order: number, key: string];
/** What has an age: `[kind, at, key of the entry]`. */
export type SettledRow = [kind: SettledKind, at: number, key: string];
/** `1`: an id that is only remembered. `2`: a dead letter. */
export type SettledKind = 1 | 2;

/** Which keys of a table: from `start` up to `end`, without it. A prefix of a row comes before all rows that begin with it. */
export interface KeyRange {
  readonly start?: Lmdb.Key;
  readonly end?: Lmdb.Key;
  readonly limit?: number;
}

/**
 * What is used of an LMDB table. `put` and `remove` belong to the conditional write or the
 * transaction they are called in: it is that which succeeds or fails.
 */
export interface Table<V, K> {
  get(key: K): V | undefined;
  put(key: K, value: V): void;
  remove(key: K): void;
  getKeys(range?: KeyRange): Iterable<K>;
  getRange(range?: KeyRange & { readonly snapshot?: boolean }): Iterable<{ readonly key: K; readonly value: V }>;
  /** Does `writes` where the key is not there; resolves with whether it did. */
  ifNoExists(key: K, writes: () => void): Promise<boolean>;
  /** Does `writes` where the key has that version, or with `ifExists` where it is there at all. */
  ifVersion(key: K, version: number, writes: () => void): Promise<boolean>;
  /** Does `writes` all at once. */
  batch(writes: () => void): Promise<boolean>;
}

/** The tables of a ledger. Entries, and with them their messages and rows, are named by `keyOf(id)`. */
export interface LedgerTables {
  readonly entries: Table<EntryRecord, string>;
  /** The messages as JSON text, so that what JSON cannot hold is found before a write begins. */
  readonly messages: Table<string, string>;
  readonly taken: Table<true, TakenRow>;
  readonly settled: Table<true, SettledRow>;
  readonly holders: Table<Holder, number>;
  readonly cursors: Table<CursorRecord, string>;
}

/** A ledger's file, open. All instances in this process that name the same file share it. */
export interface LedgerFile {
  readonly tables: LedgerTables;
  /** A condition that holds when the key is there, whatever its value. */
  readonly ifExists: number;
  /**
   * Does a conditional write off this thread and resolves with whether its condition held, once
   * that is on disk and flushed. Writes of one turn of the event loop, and those that come while
   * another is being flushed, share one transaction.
   *
   * @throws {InboxError} `ERR_INBOX_LEDGER` when it could not be written.
   */
  write(start: () => Promise<boolean>): Promise<boolean>;
  /**
   * Calls `change` inside a transaction, where reads see what no other process can change, and
   * resolves with its result once that is on disk and flushed. Keep it short: all writers wait.
   *
   * @throws {InboxError} `ERR_INBOX_LEDGER` when it could not be written.
   */
  transaction<T>(change: () => T): Promise<T>;
  /** Lets what is read from now on be what is in the file now. Without it, all reads of a turn of the event loop see one state. */
  refresh(): void;
  /** Lets go of the file when it is the last to do so. */
  release(): Promise<void>;
}

interface Shared {
  readonly root: Lmdb.RootDatabase<unknown, string>;
  readonly tables: LedgerTables;
  readonly ifExists: number;
  users: number;
}

/**
 * LMDB must be opened once a process: a second opening waits, on this thread, for a transaction
 * that may be waiting for this thread. Held globally, for two copies of this package may be loaded.
 */
const sharedFiles = globally("openclaw-inbox.lmdb", () => new Map<string, Shared>());

function globally<T>(name: string, make: () => T): T {
  const globals = globalThis as Record<symbol, unknown>;
  const symbol = Symbol.for(name);
  globals[symbol] ??= make();
  return globals[symbol] as T;
}

function loadLmdb(file: string): typeof Lmdb {
  try {
    return createRequire(import.meta.url)("lmdb") as typeof Lmdb;
  } catch (error) {
    throw new InboxError(
      "ERR_INBOX_LEDGER",
      `Cannot open the ledger ${file}: the package lmdb does not load on this platform (${errorText(error)}). Install it with its optional dependencies, or leave \`ledger\` out to remember messages in memory only.`,
      { file, reason: "failed" },
      error,
    );
  }
}

/**
 * With less room than this nothing is written. A write that LMDB itself finds no room for makes it
 * print more than it has set memory aside for (mdb.c, as of 3.5), which may end the process.
 */
const MIN_ROOM_BYTES = 33_554_432;

/** Makes the file where there is none: for its owner's eyes only, since it holds texts. One that is there stays as it is. */
function createPrivately(path: string): void {
  closeSync(openSync(path, "a", 0o600));
}

function openShared(path: string): Shared {
  const { open, IF_EXISTS } = loadLmdb(path);
  createPrivately(path);
  const root = open<unknown, string>({
    path,
    noSubdir: true,
    encoding: "json",
    maxDbs: 8,
    // A promise that resolves means: flushed. With overlapping sync it would only mean: visible.
    overlappingSync: false,
  });
  // Before the tables: a file is known as ours from its first record on, even if we are killed here.
  if (root.get(META_KEY) === undefined) root.putSync(META_KEY, { format: FORMAT });
  const table = <V, K extends Lmdb.Key>(name: string, encoding: "json" | "string" = "json"): Table<V, K> =>
    root.openDB<V, K>({ name, encoding });
  const tables: LedgerTables = {
    entries: table("entries"),
    messages: table("messages", "string"),
    taken: table("taken"),
    settled: table("settled"),
    holders: table("holders"),
    cursors: table("cursors"),
  };
  return { root, tables, ifExists: IF_EXISTS, users: 0 };
}

/** Opens the file or finds it open. Its folder must exist; `file` itself is created. */
function acquire(file: string): { readonly path: string; readonly shared: Shared } {
  checkLedgerFile(file);
  const path = join(realpathSync(dirname(file)), basename(file));
  let shared = sharedFiles.get(path);
  if (shared === undefined) {
    try {
      shared = openShared(path);
    } catch (error) {
      throw error instanceof InboxError ? error : openError(file, "failed", error);
    }
    sharedFiles.set(path, shared);
  }
  shared.users += 1;
  return { path, shared };
}

/** What lmdb rejects with: the cause comes by a promise of its own, rejected right after. */
interface CommitError {
  readonly commitError?: Promise<never>;
}

async function writeError(file: string, error: unknown): Promise<InboxError> {
  let cause = error;
  (error as CommitError).commitError?.catch((reason: unknown) => {
    cause = reason;
  });
  await new Promise(setImmediate);
  return new InboxError("ERR_INBOX_LEDGER", `Cannot write to the ledger ${file}: ${errorText(cause)}`, { file }, cause);
}

/**
 * Opens the ledger file, synchronously.
 *
 * @throws {InboxError} `ERR_INBOX_LEDGER`; `details.reason` says which of the things that can be wrong.
 */
export function openLedgerFile(file: string): LedgerFile {
  const { path, shared } = acquire(file);
  const { root, tables, ifExists } = shared;
  const failed = async (error: unknown): Promise<never> => {
    throw await writeError(file, error);
  };
  let minding = false;
  let isFull = false;

  /** Asks the disk once a turn of the event loop. */
  function refuseIfFull(): Promise<never> | undefined {
    if (!minding) {
      const { bavail, bsize } = statfsSync(dirname(path));
      isFull = bavail * bsize < MIN_ROOM_BYTES;
    }
    return isFull ? failed(new Error("less than 32 MiB are left on its disk")) : undefined;
  }

  /**
   * For the writes of a turn lmdb makes one more promise, which it hands to nobody. When the disk
   * is full that one is rejected too, and would end the process as unhandled; so it is fetched,
   * once lmdb has made it, and handled.
   */
  function mindHiddenPromise(): void {
    if (minding) return;
    minding = true;
    setImmediate(() => {
      minding = false;
      root.committed.then(
        () => {},
        (error: CommitError) => error.commitError?.catch(() => {}),
      );
    });
  }

  let released: Promise<void> | undefined;
  async function release(): Promise<void> {
    shared.users -= 1;
    if (shared.users > 0) return;
    if (sharedFiles.get(path) === shared) sharedFiles.delete(path);
    await root.close();
  }

  return {
    tables,
    ifExists,
    write(start) {
      const refused = refuseIfFull();
      if (refused !== undefined) return refused;
      const written = start();
      mindHiddenPromise();
      return written.catch(failed);
    },
    transaction(change) {
      const refused = refuseIfFull();
      if (refused !== undefined) return refused;
      const done = root.transaction(change);
      mindHiddenPromise();
      return done.catch(failed);
    },
    refresh: () => root.resetReadTxn(),
    release: () => (released ??= release()),
  };
}
