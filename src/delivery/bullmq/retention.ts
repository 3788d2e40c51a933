import { InboxError } from "../../errors.ts";

/** How long BullMQ keeps a finished job; BullMQ's own `KeepJobs` fits. */
export interface KeepJobs {
  /** In seconds. */
  readonly age?: number;
  readonly count?: number;
  /** How many jobs are removed at a time; harmless. */
  readonly limit?: number;
}

/** When BullMQ removes a finished job. */
export interface RetentionOptions {
  readonly removeOnComplete?: boolean | number | KeepJobs;
  readonly removeOnFail?: boolean | number | KeepJobs;
}

/**
 * Refuses what would remove a finished job, and with it the memory of its id, within `retainMs`:
 * a count can be used up in a second, so only an age or keeping for ever will do.
 *
 * @throws {InboxError} `ERR_INBOX_OPTION` naming the option (`of` and its name) and its value.
 */
export function assertRetention(of: string, options: RetentionOptions, retainMs: number): void {
  const seconds = retentionSeconds(retainMs);
  for (const name of ["removeOnComplete", "removeOnFail"] as const) {
    const value = options[name];
    if (value === undefined || value === false || isLongEnough(value, seconds)) continue;
    const option = `${of}.${name}`;
    const wanted = `\`{ age: ${seconds} }\` or more, or \`false\`, so that a job is remembered for \`retainMs\` (${retainMs})`;
    throw new InboxError(
      "ERR_INBOX_OPTION",
      `Expected \`${option}\` to be ${wanted}, got \`${JSON.stringify(value)}\``,
      { option },
    );
  }
}

/** `retainMs` in BullMQ's unit, rounded up. */
export function retentionSeconds(retainMs: number): number {
  return Math.ceil(retainMs / 1000);
}

function isLongEnough(keep: true | number | KeepJobs | null, seconds: number): boolean {
  if (typeof keep !== "object" || keep === null || keep.count !== undefined) return false;
  return keep.age === undefined || (typeof keep.age === "number" && keep.age >= seconds);
}
