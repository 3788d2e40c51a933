import type { DatabaseSync, SQLInputValue } from "node:sqlite";
import type { RepairedFile, ThreadData } from "./messages.ts";
import type { Readable } from "./read-damaged.ts";

type Row = Readonly<Record<string, SQLInputValue>>;

/**
 * Replaces a damaged file by one with everything that could be read. The damaged file is closed and kept beside it.
 * Nobody else may have it open. It runs in the ledger's thread from its source text.
 */
export function repair(data: ThreadData, damaged: DatabaseSync, readable: Readable): RepairedFile {
  const { DatabaseSync: Database } = process.getBuiltinModule("node:sqlite");
  const fs = process.getBuiltinModule("node:fs");
  const repairer = {
    /** Makes a row valid, whatever its columns hold. It becomes undelivered unless it is delivered, dead or empty. */
    fitting(row: Row): Row {
      const state = String(row["state"]);
      const isKnown = state === "taken" || state === "delivered" || state === "dead";
      return {
        ...row,
        state: isKnown ? state : row["body"] === null ? "delivered" : "taken",
        attempts: Number(row["attempts"]) || 0,
        owner: "",
        taken_at: Number(row["taken_at"]) || 0,
        changed_at: Number(row["changed_at"]) || Date.now(),
      };
    },

    fill(db: DatabaseSync, table: string, rows: readonly Row[]): void {
      for (const row of rows) {
        const names = Object.keys(row).filter((name) => name !== "rowid");
        const insert = db.prepare(`insert or ignore into ${table} (${names}) values (${names.map(() => "?")})`);
        const values = names.map((name) => row[name] as SQLInputValue);
        try {
          // A position that is used already is damaged.
          if (insert.run(...values).changes === 0 && table === "messages")
            insert.run(...values.map((value, index) => (names[index] === "position" ? null : value)));
        } catch {
          // One invalid row is no reason to give up the others.
        }
      }
    },
  };

  const temporary = `${data.file}-new-${data.id}`;
  const kept = `${data.file}-damaged-${data.id}`;
  fs.rmSync(temporary, { force: true });
  const db = new Database(temporary);
  db.exec("begin");
  for (const sql of data.schema) db.exec(sql);
  db.exec(`pragma application_id = ${data.applicationId}; pragma user_version = ${data.version}`);
  repairer.fill(
    db,
    "messages",
    readable.messages.map((row) => repairer.fitting(row)),
  );
  repairer.fill(db, "bookmarks", readable.bookmarks);
  repairer.fill(db, "solicited", readable.solicited);
  db.exec("commit");
  const ids = new Set((db.prepare("select id from messages").all() as { id: string }[]).map(({ id }) => id));
  const names = new Set((db.prepare("select name from bookmarks").all() as { name: string }[]).map(({ name }) => name));
  db.close();
  try {
    damaged.close();
  } catch {
    // The file is not needed any longer.
  }
  for (const suffix of ["", "-wal"])
    if (fs.existsSync(data.file + suffix)) fs.renameSync(data.file + suffix, kept + suffix);
  fs.rmSync(`${data.file}-shm`, { force: true });
  fs.renameSync(temporary, data.file);
  fs.chmodSync(data.file, 0o600);
  return {
    kept,
    lost: [...readable.ids].filter((id) => !ids.has(id)),
    lostBookmarks: [...readable.bookmarkNames].filter((name) => !names.has(name)).length,
  };
}
