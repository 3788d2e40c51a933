import { InboxError } from "../errors.ts";
import type { JobAlarm } from "../types.ts";
import type { Firing } from "./firing.ts";
import type { CronJob } from "./job.ts";

/** The alarm for a job that was due and said nothing. It quotes what the Gateway claims. */
export function silenceAlarm(gateway: string, job: CronJob, firing: Firing): JobAlarm {
  const { due, claim } = firing;
  const { hasSummary: _, ...claimed } = claim ?? {};
  return {
    ...heardAlarm(gateway, job, due),
    ...("status" in claimed && { claimed }),
    error: new InboxError("ERR_INBOX_JOB", `The cron job ${job.id} ${firing.complaint(job)}`, {
      gateway,
      job: job.id,
      due,
    }),
  };
}

/** The end of that alarm: the job is heard again. `due` is when it should have spoken. */
export function heardAlarm(gateway: string, { id, name }: CronJob, due: number): JobAlarm {
  return { part: "job", gateway, job: id, ...(name !== undefined && { name }), due };
}
