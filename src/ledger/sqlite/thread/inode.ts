/**
 * Identifies a file by disk and inode; empty when there is none. It never opens the file, because closing it would end
 * all locks of this process on it. It runs in the ledger's thread from its source text.
 */
export function inodeOf(path: string): string {
  const stats = process.getBuiltinModule("node:fs").statSync(path, { bigint: true, throwIfNoEntry: false });
  return stats === undefined ? "" : `${stats.dev} ${stats.ino}`;
}
