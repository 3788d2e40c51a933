import type { Ledger } from "../ledger/ledger.ts";
import { fields, isTime, readId } from "../protocol/fields.ts";

/** What is remembered of a job. */
export interface RememberedJob {
  readonly id: string;
  /** When it was due and had not answered, or when it is due next. */
  readonly due: number | undefined;
  /** When it last ran before that. */
  readonly lastRunAt: number | undefined;
  readonly schedule: string;
  readonly silentSince: number | undefined;
}

/**
 * The jobs of a Gateway as an earlier process knew them. The ledger keeps them in one entry, of about 100 bytes per
 * job.
 */
export class RememberedJobs {
  private readonly ledger: Pick<Ledger, "cursor" | "setCursor">;
  private readonly name: string;
  private written: string | undefined;

  constructor(ledger: Pick<Ledger, "cursor" | "setCursor">, gateway: string) {
    this.ledger = ledger;
    this.name = `jobs ${gateway}`;
  }

  /** Empty when the ledger cannot be read, or has something else there. */
  async read(): Promise<readonly RememberedJob[]> {
    try {
      const kept: unknown = JSON.parse((await this.ledger.cursor(this.name)) ?? "[]");
      return Array.isArray(kept) ? kept.flatMap((entry) => readEntry(fields(entry)) ?? []) : [];
    } catch {
      return [];
    }
  }

  write(jobs: readonly RememberedJob[]): void {
    const text = JSON.stringify(jobs);
    if (text === this.written) return;
    this.written = text;
    this.ledger.setCursor(this.name, text);
  }
}

function readEntry({ id, due, lastRunAt, schedule, silentSince }: Readonly<Record<string, unknown>>) {
  const known = readId(id);
  if (known === undefined) return undefined;
  return {
    id: known,
    due: timeOf(due),
    lastRunAt: timeOf(lastRunAt),
    schedule: String(schedule),
    silentSince: timeOf(silentSince),
  };
}

function timeOf(value: unknown): number | undefined {
  return isTime(value) ? value : undefined;
}
