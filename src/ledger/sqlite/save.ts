import type { LedgerHost } from "../ledger.ts";
import { keyOf, takeParameters } from "../sql/rows.ts";
import type { Connection, Step } from "./connection.ts";
import type { Report, Unsaved, UnsavedEntry } from "./unsaved.ts";

/** How many messages go to the thread at once. */
const STEP = 500;

/** The inbox whose messages are written. */
export interface Writer {
  /** The id of its instance. */
  readonly id: string;
  readonly ordering: LedgerHost["ordering"];
  readonly now: () => number;
}

/** The step that writes a report about a message. */
export function reportStep(owner: string, id: string, { state, attempts, at, error = "" }: Report): Step {
  const key = keyOf(id);
  if (state === "delivered") return ["delivered", [key, owner, attempts, at]];
  if (state === "dead") return ["dead", [key, owner, attempts, at, error]];
  return ["attempted", [key, owner, attempts, error]];
}

/** The step that writes a cursor. */
export function cursorStep(name: string, value: string, now: number): Step {
  return ["setCursor", [keyOf(name), value.toWellFormed(), now]];
}

/** Writes to disk what is only in memory. Resolves to false when the disk cannot be written. */
export async function save(connection: Connection, unsaved: Unsaved, writer: Writer): Promise<boolean> {
  while (unsaved.size > 0) {
    const entries = unsaved.first(STEP);
    const results = await Promise.all(entries.map((entry) => saveEntry(connection, unsaved, writer, entry)));
    if (results.includes(false)) return false;
    if (entries.length < STEP && !(await saveRest(connection, unsaved, writer))) return false;
  }
  return true;
}

async function saveEntry(
  connection: Connection,
  unsaved: Unsaved,
  { id: owner, ordering }: Writer,
  entry: UnsavedEntry,
): Promise<boolean> {
  const { id, message, state, attempts, at, error = "" } = entry;
  const steps = [reportStep(owner, id, { state, attempts, at, error })];
  if (message !== undefined)
    steps.unshift(["takeAnyway", [...takeParameters(message, ordering, at, owner), attempts, error]]);
  const result = await connection.run(steps);
  if (result.error === undefined) unsaved.saved(entry);
  return result.error === undefined;
}

/** Cursors come last, because they cover what was taken before. */
async function saveRest(connection: Connection, unsaved: Unsaved, { now }: Writer): Promise<boolean> {
  const { cursors, solicited } = unsaved;
  for (const [runId, until] of [...solicited]) {
    const { error } = await connection.run([["solicit", [keyOf(runId), until]]]);
    if (error !== undefined) return false;
    if (solicited.get(runId) === until) solicited.delete(runId);
  }
  if (unsaved.first(1).length > 0) return true;
  for (const [name, value] of [...cursors]) {
    const { error } = await connection.run([cursorStep(name, value, now())]);
    if (error !== undefined) return false;
    if (cursors.get(name) === value) cursors.delete(name);
  }
  return true;
}
