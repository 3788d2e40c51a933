import { fields } from "../protocol/fields.ts";
import { type Claim, readClaim } from "./job.ts";

/** Sends a request to the Gateway, and resolves with its answer. */
export type Ask = (method: string, params: object) => Promise<unknown>;

/** The most jobs that a Gateway returns at once. */
const PAGE_JOBS = 200;
/** The most pages: 20,000 jobs. A Gateway that always announces more must not keep us busy for ever. */
const MAX_PAGES = 100;

/** All jobs of a Gateway, also disabled ones, as it describes them. Rejects when it does not answer. */
export async function listJobs(ask: Ask): Promise<readonly unknown[]> {
  const all: unknown[] = [];
  for (let pages = 0; pages < MAX_PAGES; pages += 1) {
    const { jobs, hasMore } = fields(
      await ask("cron.list", {
        includeDisabled: true,
        limit: PAGE_JOBS,
        ...(all.length > 0 && { offset: all.length }),
      }),
    );
    if (!Array.isArray(jobs) || jobs.length === 0) break;
    all.push(...(jobs as unknown[]));
    if (hasMore !== true) break;
  }
  return all;
}

/** What the Gateway says of the last run of a job; undefined where it says nothing. */
export async function lastClaim(ask: Ask, id: string): Promise<Claim | undefined> {
  try {
    const { entries } = fields(await ask("cron.runs", { id, limit: 1 }));
    const [last] = Array.isArray(entries) ? (entries as unknown[]) : [];
    return last === undefined ? undefined : readClaim(fields(last));
  } catch {
    return undefined;
  }
}
