import { InboxError } from "../../errors.ts";

/** How long BullMQ keeps a finished job. BullMQ's own `KeepJobs` fits. */
export interface KeepJobs {
  /** In seconds. */
  readonly age?: number;
  readonly count?: number;
  /** How many jobs are removed at a time. It does no harm. */
  readonly limit?: number;
}

/** When BullMQ removes a finished job. */
export interface RetentionOptions {
  readonly removeOnComplete?: boolean | number | KeepJobs;
  readonly removeOnFail?: boolean | number | KeepJobs;
}

/**
 * Refuses options that would remove a finished job within `retainMs`, since a repeat of its message would then become a
 * new job. A count may be used up in a second, so only an age or keeping for ever is accepted.
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

/** `retainMs` in seconds, rounded up, as BullMQ expects. */
export function retentionSeconds(retainMs: number): number {
  return Math.ceil(retainMs / 1000);
}

function isLongEnough(keep: true | number | KeepJobs | null, seconds: number): boolean {
  if (typeof keep !== "object" || keep === null || keep.count !== undefined) return false;
  return keep.age === undefined || (typeof keep.age === "number" && keep.age >= seconds);
}
