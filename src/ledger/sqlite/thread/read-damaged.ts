import type { DatabaseSync, SQLInputValue } from "node:sqlite";

/** A row as SQLite returns it. */
type Row = Readonly<Record<string, SQLInputValue>>;

/** What could be read of a damaged file, and what could not. */
export interface Readable {
  /** Every id in the file, from its rows or from the index of ids. */
  readonly ids: ReadonlySet<string>;
  /** The same for bookmarks. */
  readonly bookmarkNames: ReadonlySet<string>;
  readonly messages: readonly Row[];
  readonly bookmarks: readonly Row[];
  readonly solicited: readonly Row[];
}

/**
 * Reads everything that can be read of a damaged ledger file: row by row, without the indices, skipping every page that
 * cannot be read. It runs in the ledger's thread from its source text, so it refers to nothing outside.
 */
export function readDamaged(db: DatabaseSync): Readable {
  const reader = {
    /** The largest row number that the table can have. */
    lastOf(table: string): number {
      let last = 0;
      for (const sql of [
        `select max(rowid) as last from ${table}`,
        `select seq as last from sqlite_sequence where name = '${table}'`,
        "select max(position) as last from messages indexed by sqlite_autoindex_messages_1",
      ]) {
        try {
          const row = db.prepare(sql).get() as { last: number | null } | undefined;
          last = Math.max(last, Number(row?.last ?? 0));
        } catch {
          // It is damaged, too. The next one may know.
        }
      }
      return Math.min(last, Number.MAX_SAFE_INTEGER);
    },

    rowsOf(table: string): Row[] {
      const rows: Row[] = [];
      const last = reader.lastOf(table);
      let from = 0;
      let step = 200;
      // Skips damage in steps that grow, and then searches them again in small steps.
      while (from <= last) {
        try {
          const select = db.prepare(
            `select rowid as "rowid", * from ${table} not indexed where rowid > ? order by rowid limit ${step}`,
          );
          const page = select.all(from) as Row[];
          if (page.length === 0) break;
          rows.push(...page);
          from = Number(page.at(-1)?.["rowid"]);
          step = 200;
        } catch {
          if (step === 1) from += 1;
          step = 1;
        }
      }
      return rows;
    },

    /** The names that the index of a table still has, by row number. */
    namesOf(table: string, column: string): Map<number, string> {
      const names = new Map<number, string>();
      try {
        const select = db.prepare(
          `select rowid as "row", ${column} as name from ${table} indexed by sqlite_autoindex_${table}_1`,
        );
        for (const { row, name } of select.iterate() as IterableIterator<Row>) names.set(Number(row), String(name));
      } catch {
        // As far as it could be read.
      }
      return names;
    },
  };

  const rows = reader.rowsOf("messages");
  const indexed = reader.namesOf("messages", "id");
  const read = new Set(rows.map((row) => String(row["id"])));
  // An id that is damaged in its row may be whole in the index.
  const messages = rows.map((row) => {
    const id = indexed.get(Number(row["rowid"]));
    return id === undefined || read.has(id) ? row : { ...row, id };
  });
  const bookmarks = reader.rowsOf("bookmarks");
  const names = [...reader.namesOf("bookmarks", "name").values(), ...bookmarks.map((row) => String(row["name"]))];
  return {
    ids: new Set([...indexed.values(), ...messages.map((row) => String(row["id"]))]),
    messages,
    bookmarks,
    bookmarkNames: new Set(names),
    solicited: reader.rowsOf("solicited"),
  };
}
