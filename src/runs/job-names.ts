import type { Job } from "../types.ts";

/** More jobs than all Gateways together are likely to have. */
const MAX_NAMES = 20_000;

/** The names of the cron jobs of all Gateways. Beyond 20,000 the first one that was learned is dropped. */
export class JobNames {
  private readonly names = new Map<string, string>();

  learn(gateway: string, { id, name }: Job): void {
    const key = jobKey(gateway, id);
    this.names.delete(key);
    if (name === undefined) return;
    this.names.set(key, name);
    const [first] = this.names.keys();
    if (this.names.size > MAX_NAMES && first !== undefined) this.names.delete(first);
  }

  /** The job with its name, if that is known. */
  named(gateway: string, job: Job | undefined): Job | undefined {
    if (job === undefined || job.name !== undefined) return job;
    const name = this.names.get(jobKey(gateway, job.id));
    return name === undefined ? job : { ...job, name };
  }
}

function jobKey(gateway: string, id: string): string {
  return `${gateway} ${id}`;
}
