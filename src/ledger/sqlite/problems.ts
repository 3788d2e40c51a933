import { InboxError } from "../../errors.ts";
import type { ThreadError } from "./thread/messages.ts";

/** Why a ledger file could not be opened; `details.reason` of the error. */
export type LedgerProblem =
  | "no-folder"
  | "not-a-file"
  | "no-permission"
  | "disk-full"
  | "network"
  | "hard-link"
  | "file-mount"
  | "foreign"
  | "newer"
  | "damaged"
  | "busy"
  | "failed";

const explanations: Readonly<Record<LedgerProblem, string>> = {
  "no-folder": "its folder does not exist. Create the folder, or give another path",
  "not-a-file":
    "there is something there that is not a file. Give the path of a file; it is created when it is not there",
  "no-permission":
    "this process may not read and write it, or may not create files beside it. Give the user of this process that right, or give another path",
  "disk-full": "its disk is full. Make room, or give a path on another disk",
  network:
    "it is on a network file system, where SQLite's locks do not work. Give a path on a local disk; for several machines, use a Postgres ledger (`postgresLedger` of `openclaw-inbox/postgres`)",
  "hard-link":
    "the file has a second name (a hard link), and the files beside it would differ by name. Remove the other name, or use a symbolic link",
  "file-mount":
    "the file is mounted by itself, and the files beside it would not be where they are for others. Mount its folder",
  foreign: "the file belongs to another program, or its beginning is damaged. Give another path",
  newer: "the file was made by a newer version of openclaw-inbox. Use that version, or give another path",
  damaged:
    "the file is damaged. Restore a backup, or move the file away together with its `-wal` file to start with an empty ledger; undelivered messages are in the files you move",
  busy: "another process has kept the file locked for too long. See which one has it open, and whether it is stopped",
  failed: "the file could not be opened",
};

/** An `ERR_INBOX_LEDGER` that names the file and says what to do. */
export function openError(file: string, reason: LedgerProblem, why?: string, cause?: unknown): InboxError {
  const because = why === undefined || why === "" ? "" : ` (${why})`;
  return new InboxError(
    "ERR_INBOX_LEDGER",
    `Cannot open the ledger ${file}: ${explanations[reason]}${because}.`,
    { file, reason },
    cause,
  );
}

/** SQLite's primary result codes that a person can act on. */
const REASONS: ReadonlyMap<number, LedgerProblem> = new Map([
  [3, "no-permission"],
  [5, "busy"],
  [6, "busy"],
  [8, "no-permission"],
  [11, "damaged"],
  [13, "disk-full"],
  [14, "no-permission"],
  [26, "foreign"],
]);

/** Why the thread could not open the file, by SQLite's code. */
export function reasonOf({ problem, code }: ThreadError): LedgerProblem {
  if (problem === "foreign" || problem === "newer") return problem;
  // A table with an unreadable definition gives a plain error code.
  return REASONS.get(code % 256) ?? (code === 1 ? "damaged" : "failed");
}

/** The problem of an open file, for an alarm. */
export function troubleOf(file: string, { problem, code, text }: ThreadError): InboxError {
  if (problem === "moved") {
    return new InboxError(
      "ERR_INBOX_LEDGER",
      `The ledger ${file} was moved, deleted or replaced while in use. It will be created there again as soon as possible`,
      { file, reason: "moved" },
    );
  }
  const reason = reasonOf({ problem, code, text });
  return new InboxError("ERR_INBOX_LEDGER", `Cannot write to the ledger ${file}: ${text}`, { file, reason, code });
}
