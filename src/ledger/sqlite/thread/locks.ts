import type { DatabaseSync } from "node:sqlite";
import type { ThreadData } from "./messages.ts";

/** The locks of the instances on one ledger file. */
export interface Locks {
  /** Takes this instance's lock as long as this thread lives; again, if its file is gone. */
  open(): void;
  /** Whether its file is still there. */
  isInPlace(): boolean;
  /** Whether another instance lives. */
  hasOthers(): boolean;
  /**
   * If the instance `id` is dead, takes its lock, runs `work`, and removes the lock. Returns false when it lives, or
   * that is unknown.
   */
  bury(id: string, work: () => void): boolean;
  /** Releases this instance's lock. */
  close(): void;
}

/**
 * A lock shows that an instance lives. It is an empty database, locked as long as its connection is open. The kernel
 * releases it when the process or the thread ends in any way. It runs in the ledger's thread from its source text.
 */
export function locksOf(data: ThreadData, inodeOf: (path: string) => string): Locks {
  const { DatabaseSync: Database } = process.getBuiltinModule("node:sqlite");
  const fs = process.getBuiltinModule("node:fs");
  const { basename, dirname } = process.getBuiltinModule("node:path");
  const path = data.locks + data.id;

  const locks = {
    own: undefined as DatabaseSync | undefined,
    inode: "",

    open(): void {
      for (let tries = 0; tries < 10; tries += 1) {
        locks.own?.close();
        const own = new Database(path);
        locks.own = own;
        try {
          own.exec("pragma busy_timeout = 1000; pragma journal_mode = memory; begin exclusive");
        } catch (error) {
          if (((error as { errcode?: number }).errcode ?? 0) % 256 === 5) continue;
          throw error;
        }
        // An instance that removes the locks of dead ones may have had this lock a moment ago, and removed the file.
        locks.inode = inodeOf(path);
        if (locks.inode !== "") return fs.chmodSync(path, 0o600);
      }
      throw Object.assign(new Error(`its lock file ${path} cannot be locked`), { problem: "failed" });
    },

    isInPlace(): boolean {
      return inodeOf(path) === locks.inode;
    },

    hasOthers(): boolean {
      const folder = dirname(data.locks);
      return fs.readdirSync(folder).some((name) => {
        const other = `${folder}/${name}`;
        if (!name.startsWith(basename(data.locks)) || other === path) return false;
        // It may have been removed a moment ago.
        if (fs.statSync(other, { throwIfNoEntry: false })?.isFile() !== true) return false;
        let lock: DatabaseSync | undefined;
        try {
          lock = locks.lock(other);
          return false;
        } catch (error) {
          // A file that is not a database is not a lock.
          return ((error as { errcode?: number }).errcode ?? 0) % 256 !== 26;
        } finally {
          lock?.close();
        }
      });
    },

    /** Takes the lock at once, or throws. */
    lock(other: string): DatabaseSync {
      const lock = new Database(other);
      try {
        lock.exec("pragma busy_timeout = 0; pragma journal_mode = memory; begin exclusive");
        return lock;
      } catch (error) {
        lock.close();
        throw error;
      }
    },

    bury(id: string, work: () => void): boolean {
      const other = data.locks + id;
      let lock: DatabaseSync | undefined;
      try {
        if (inodeOf(other) !== "") lock = locks.lock(other);
        work();
        fs.rmSync(other, { force: true });
        return true;
      } catch {
        return false;
      } finally {
        lock?.close();
      }
    },

    close(): void {
      // Removed while the lock is held, so that no instance removes the lock file of another.
      if (locks.own !== undefined && locks.isInPlace()) fs.rmSync(path, { force: true });
      locks.own?.close();
      locks.own = undefined;
    },
  };
  return locks;
}
