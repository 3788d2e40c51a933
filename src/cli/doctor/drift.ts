import { listJobs } from "../../jobs/job-list.ts";
import { type OnUnseen, unseenInEvent, unseenInJob, unseenInMessage } from "../../protocol/drift.ts";
import { fields, readId } from "../../protocol/fields.ts";
import type { Source } from "../../source/source.ts";
import { type Finding, ok, warning } from "./finding.ts";

const REQUEST_TIMEOUT_MS = 5_000;
/** How many of the latest sessions are read, and how many rows of each. */
const SESSIONS = 3;
const ROWS = 50;
/** The most names that are printed. */
const MAX_NAMES = 20;

/** Looks for names that no tested Gateway has sent: in its announced events, its jobs, and its latest rows. */
export async function checkDrift(source: Source, hello: unknown): Promise<Finding> {
  const names = new Set<string>();
  const tell: OnUnseen = (what, name) => names.add(`${what} ${name}`);
  const ask = async (method: string, params: object) => {
    const options = { signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) };
    // The check for this method reports a refusal.
    return fields(await Promise.resolve(source.request?.(method, params, options)).catch(() => undefined));
  };
  for (const event of list(fields(fields(hello)["features"])["events"])) unseenInEvent(String(event), undefined, tell);
  for (const job of await listJobs(ask)) unseenInJob(job, tell);
  const { sessions } = await ask("sessions.list", { limit: SESSIONS });
  for (const session of list(sessions).slice(0, SESSIONS)) {
    const sessionKey = readId(fields(session)["key"]);
    if (sessionKey === undefined) continue;
    const { messages } = await ask("chat.history", { sessionKey, limit: ROWS });
    for (const row of list(messages).slice(-ROWS)) unseenInMessage(row, tell);
  }
  if (names.size === 0) return ok("wire", "It sends nothing that no tested version has sent.");
  const more = names.size > MAX_NAMES ? `, and ${names.size - MAX_NAMES} more` : "";
  const told = [...names].slice(0, MAX_NAMES).join(", ");
  const words = `It sends what no tested version has sent: ${told}${more}.`;
  return warning(
    "wire",
    words,
    "Compare the messages of the inbox with the Gateway's own page, and tell us the names.",
  );
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
