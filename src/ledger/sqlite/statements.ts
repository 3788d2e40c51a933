import { schema } from "../sql/schema.ts";
import { type Statements, statements } from "../sql/statements.ts";
import type { ThreadStatement } from "./thread/messages.ts";

/** "ocix" as a number. It marks a file as a ledger. */
export const APPLICATION_ID = 0x6f636978;

/** The tables of a ledger file. */
export const sqliteSchema = schema({
  prefix: "",
  integer: "integer",
  // A number is never used twice, so the order is that of taking.
  counter: "integer primary key autoincrement",
  json: "text",
});

/** Statements that only a ledger file needs. */
interface SqliteStatements extends Statements {
  /** The next owner after one: `owner`. */
  readonly nextOwner: string;
  /** All undelivered messages of an owner, as `copy` takes them: `owner`. */
  readonly owned: string;
  readonly copy: string;
  /** Gives a row the id of its message: `id, newId`. */
  readonly rename: string;
  /** A message in any state: `id`. */
  readonly message: string;
}

const COLUMNS =
  "id, gateway, session_key, lane, run_id, state, owner, attempts, error, taken_at, changed_at, body, checksum";

const all: SqliteStatements = {
  ...statements(""),
  nextOwner: "select min(owner) as owner from messages where state = 'taken' and owner > $1",
  owned: `select ${COLUMNS} from messages where state = 'taken' and owner = $1 order by position`,
  copy: `insert into messages (${COLUMNS})
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) on conflict (id) do nothing`,
  rename: "update or ignore messages set id = $2 where id = $1",
  message: "select id, state, attempts, error, changed_at, position, body, checksum from messages where id = $1",
};

/** The name of a statement of a ledger file. */
export type StatementName = keyof SqliteStatements;

/** The statements for `node:sqlite`. Every version supports `?`, which stands for one value. */
export const sqliteStatements: Readonly<Record<StatementName, ThreadStatement>> = Object.fromEntries(
  Object.entries(all).map(([name, text]: [string, string]) => {
    const order: number[] = [];
    const sql = text.replace(/\$(\d+)/g, (_, digits: string) => {
      order.push(Number(digits) - 1);
      return "?";
    });
    const changes = !/^\s*select/i.test(sql);
    const reads = !changes || /\breturning\b/i.test(sql);
    return [name, { sql, order, changes, reads, coversEarlier: name === "setCursor" }];
  }),
) as Readonly<Record<string, ThreadStatement>> as Record<StatementName, ThreadStatement>;
