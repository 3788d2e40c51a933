import { chmodSync, existsSync, rmSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import { errorText, InboxError } from "../../errors.ts";
import { entryOf, type MessageRow } from "../sql/rows.ts";
import { APPLICATION_ID, sqliteStatements } from "./statements.ts";

/** How many messages of a file are in a state, and since when the oldest is, in ms since the epoch. */
export interface StateCount {
  readonly state: string;
  readonly count: number;
  readonly oldest: number;
}

/** What is wrong with a file. */
export interface FileCheck {
  readonly messages: number;
  /** What SQLite has found, at most 100 sentences. */
  readonly problems: readonly string[];
  /** Ids of messages whose text cannot be read. */
  readonly unreadable: readonly string[];
}

/**
 * Reads a ledger file for a person, without being an inbox on it. Synchronous. It does not delay others that use the
 * file.
 */
export class FileLook {
  private readonly file: string;
  private readonly db: DatabaseSync;

  /** @throws {InboxError} `ERR_INBOX_LEDGER` when there is no ledger in the file. */
  constructor(file: string) {
    this.file = file;
    const { DatabaseSync: Database } = process.getBuiltinModule("node:sqlite");
    try {
      this.db = new Database(file, { readOnly: true });
    } catch (error) {
      throw this.error(error);
    }
    const id = this.read(() => this.db.prepare("pragma application_id").get()?.["application_id"]);
    if (id === APPLICATION_ID) return;
    this.db.close();
    throw new InboxError("ERR_INBOX_LEDGER", `There is no ledger in ${file}`, { file, reason: "foreign" });
  }

  counts(): readonly StateCount[] {
    return this.read(() => this.db.prepare(sqliteStatements.stats.sql).all()) as unknown as StateCount[];
  }

  check(): FileCheck {
    return this.read(() => {
      const found = this.db.prepare("pragma integrity_check(100)").all() as { integrity_check: string }[];
      const problems = found.map(({ integrity_check: text }) => text).filter((text) => text !== "ok");
      const unreadable: string[] = [];
      let messages = 0;
      for (const row of this.db.prepare("select * from messages not indexed").iterate()) {
        messages += 1;
        if (row["state"] !== "delivered" && entryOf(row as unknown as MessageRow) === undefined)
          unreadable.push(String(row["id"]));
      }
      return { messages, problems, unreadable };
    });
  }

  /** Writes a complete, readable copy, as the file is at this moment. Refuses to overwrite a file. */
  backup(to: string): void {
    if (existsSync(to)) throw new InboxError("ERR_INBOX_LEDGER", `There is a file ${to} already`, { file: to });
    try {
      this.db.prepare("vacuum into ?").run(to);
      chmodSync(to, 0o600);
    } catch (error) {
      for (const suffix of ["", "-journal"]) rmSync(to + suffix, { force: true });
      const { file } = this;
      const text = `Cannot write a copy of the ledger ${file} to ${to}: ${errorText(error)}`;
      throw new InboxError("ERR_INBOX_LEDGER", text, { file }, error);
    }
  }

  close(): void {
    this.db.close();
  }

  private read<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw this.error(error);
    }
  }

  private error(error: unknown): InboxError {
    const { file } = this;
    return new InboxError("ERR_INBOX_LEDGER", `Cannot read the ledger ${file}: ${errorText(error)}`, { file }, error);
  }
}
