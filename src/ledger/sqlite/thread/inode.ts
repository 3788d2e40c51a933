/**
 * Which file it is, on which disk; empty where there is none. Never by opening it: as a file of this process is closed, all locks
 * of the process on it are gone. Runs in the ledger's thread from its source text, like all of it.
 */
export function inodeOf(path: string): string {
  const stats = process.getBuiltinModule("node:fs").statSync(path, { bigint: true, throwIfNoEntry: false });
  return stats === undefined ? "" : `${stats.dev} ${stats.ino}`;
}
