import { accessSync, closeSync, constants, fstatSync, openSync, statfsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { errorText, InboxError } from "../errors.ts";
import { readPages } from "./lmdb-pages.ts";

/** The key of the record by which a ledger knows its own file, and that record's form. */
export const META_KEY = "openclaw-inbox";
/** Raised when an older version could no longer read what this one writes. */
export const FORMAT = 1;

/** LMDB maps its lock file into memory and would be killed, not told, if the disk had no room for it. */
const MIN_FREE_BYTES = 1_048_576;
/** Another process may be creating the file at this moment; it is looked at again so often, so far apart. */
const LOOKS = 5;
const LOOK_AGAIN_MS = 20;

/** Why a ledger could not be opened; `details.reason` of the error. */
export type LedgerProblem =
  | "no-folder"
  | "not-a-file"
  | "no-permission"
  | "disk-full"
  | "foreign"
  | "newer"
  | "damaged"
  | "failed";

const explanations: Readonly<Record<LedgerProblem, string>> = {
  "no-folder": "its folder does not exist. Create the folder, or give another path",
  "not-a-file":
    "there is something there that is not a file. Give the path of a file; it is created when it is not there",
  "no-permission":
    "this process may not read and write it, or may not create files in its folder. Give the user of this process that right, or give another path",
  "disk-full": "its disk has less than 1 MiB left. Make room, or give a path on another disk",
  foreign: "the file belongs to another program. Give another path",
  newer: "the file was made by a newer version of openclaw-inbox. Use that version, or give another path",
  damaged:
    "the file is damaged. Restore a copy of it, or move it away to start with an empty ledger; messages that were taken on and not delivered are in the file you move",
  failed: "the file could not be opened",
};

/** An `ERR_INBOX_LEDGER` that names the file and what to do. Says that nothing was changed: call it only where that is so. */
export function openError(file: string, reason: LedgerProblem, cause?: unknown): InboxError {
  const why = cause === undefined ? "" : ` (${errorText(cause)})`;
  return new InboxError(
    "ERR_INBOX_LEDGER",
    `Cannot open the ledger ${file}: ${explanations[reason]}${why}. Nothing was changed.`,
    { file, reason },
    cause,
  );
}

function codeOf(error: unknown): string {
  return String((error as { code?: unknown }).code);
}

function checkFolder(file: string): void {
  const folder = dirname(file);
  try {
    if (!statSync(folder).isDirectory()) throw openError(file, "no-folder");
    accessSync(folder, constants.W_OK | constants.X_OK);
  } catch (error) {
    if (error instanceof InboxError) throw error;
    throw openError(
      file,
      codeOf(error) === "ENOENT" || codeOf(error) === "ENOTDIR" ? "no-folder" : "no-permission",
      error,
    );
  }
  const { bavail, bsize } = statfsSync(folder);
  if (bavail * bsize < MIN_FREE_BYTES) throw openError(file, "disk-full");
}

/** A descriptor of the existing file, open for reading and writing; undefined when there is none, or it is empty. */
function openExisting(file: string): number | undefined {
  let fd: number;
  try {
    fd = openSync(file, constants.O_RDWR | (constants.O_NONBLOCK ?? 0));
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw openError(
      file,
      codeOf(error) === "EISDIR"
        ? "not-a-file"
        : codeOf(error) === "EACCES" || codeOf(error) === "EPERM" || codeOf(error) === "EROFS"
          ? "no-permission"
          : "failed",
      error,
    );
  }
  const stats = fstatSync(fd);
  if (stats.isFile() && stats.size > 0) return fd;
  closeSync(fd);
  if (!stats.isFile()) throw openError(file, "not-a-file");
  return undefined;
}

function isOurs(file: string, root: ReadonlyMap<string, Buffer>): boolean {
  const record = root.get(META_KEY);
  if (record === undefined) return false;
  try {
    const { format } = JSON.parse(record.toString("utf8")) as { format?: unknown };
    if (typeof format === "number" && format > FORMAT) throw openError(file, "newer");
    return format === FORMAT;
  } catch (error) {
    if (error instanceof InboxError) throw error;
    return false;
  }
}

/**
 * One look. Undefined when the file is fit to be opened; else what is wrong with it. A file that
 * another process writes to while it is looked at cannot be judged by its pages, and need not be:
 * it is in use.
 */
function look(file: string, fd: number): LedgerProblem | undefined {
  const report = readPages(fd);
  if (!report.sound) {
    if (report.problem !== "damaged") return "foreign";
    return report.txnId >= 0 && readPages(fd).txnId > report.txnId ? undefined : "damaged";
  }
  // Another process is creating it, or was killed doing so.
  if (report.empty) return undefined;
  return isOurs(file, report.root) ? undefined : "foreign";
}

/**
 * Makes sure that `file` can be opened as a ledger: that it is one, is sound, or can be created.
 * Synchronous, reads only, some 1 to 2 ms a MiB; of files beyond 256 MiB it sees a part.
 *
 * @throws {InboxError} `ERR_INBOX_LEDGER` with `details` `{ file, reason }`, a {@link LedgerProblem}.
 */
export function checkLedgerFile(file: string): void {
  checkFolder(file);
  const fd = openExisting(file);
  if (fd === undefined) return;
  try {
    let problem = look(file, fd);
    for (let looks = 1; problem !== undefined && looks < LOOKS; looks += 1) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOOK_AGAIN_MS);
      problem = look(file, fd);
    }
    if (problem !== undefined) throw openError(file, problem);
  } finally {
    closeSync(fd);
  }
}
