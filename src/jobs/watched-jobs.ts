import type { Report } from "../report/report.ts";
import type { Firing } from "./firing.ts";
import type { CronJob } from "./job.ts";

/** A job that is followed. */
export interface Watched {
  job: CronJob;
  /** When it is due next. */
  due: number | undefined;
  /** When it was due last. Gateways still send this time for a while. */
  wasDue: number | undefined;
  /** What we wait for; undefined until it is due. */
  firing: Firing | undefined;
  /** How far the Gateway's clock had been set back when `due` was sent. */
  setBackMs: number;
  /** The number of the last `cron` event about it. */
  toldAt: number;
  /** Set when an alarm was raised: when it should have spoken. */
  silentSince: number | undefined;
}

/** Further jobs are counted, but not followed. */
const MAX_JOBS = 10_000;

/** The followed jobs of one Gateway, found by their id and by the sessions where they may be heard. */
export class WatchedJobs {
  private readonly report: Pick<Report, "jobsFollowed" | "jobOverLimit" | "jobForgotten">;
  private readonly byId = new Map<string, Watched>();
  private readonly byPlace = new Map<string, Set<Watched>>();

  constructor(report: Pick<Report, "jobsFollowed" | "jobOverLimit" | "jobForgotten">) {
    this.report = report;
  }

  get(id: string): Watched | undefined {
    return this.byId.get(id);
  }

  all(): Watched[] {
    return [...this.byId.values()];
  }

  /** The jobs that may be heard in a session. `place` is as in {@link CronJob.places}. */
  at(place: string): Iterable<Watched> {
    return this.byPlace.get(place) ?? [];
  }

  /**
   * Follows a job; undefined when there are too many. `wasDue`: a time that the Gateway still sends as due, and at
   * which the job has run.
   */
  add(job: CronJob, wasDue: number | undefined, setBackMs: number): Watched | undefined {
    if (this.byId.size >= MAX_JOBS) {
      this.report.jobOverLimit();
      return undefined;
    }
    const due = job.nextRunAt === wasDue ? undefined : job.nextRunAt;
    const watched: Watched = { job, due, wasDue, firing: undefined, setBackMs, toldAt: 0, silentSince: undefined };
    this.byId.set(job.id, watched);
    this.place(watched);
    this.report.jobsFollowed(1);
    return watched;
  }

  update(watched: Watched, job: CronJob): void {
    this.unplace(watched);
    watched.job = job;
    this.place(watched);
  }

  /** Returns false when it was not followed. */
  remove(id: string): boolean {
    const watched = this.byId.get(id);
    if (watched === undefined) return false;
    this.byId.delete(id);
    this.unplace(watched);
    this.report.jobsFollowed(-1);
    if (watched.silentSince !== undefined) this.report.jobForgotten();
    return true;
  }

  private place(watched: Watched): void {
    for (const place of watched.job.places) {
      const there = this.byPlace.get(place) ?? new Set();
      this.byPlace.set(place, there.add(watched));
    }
  }

  private unplace(watched: Watched): void {
    for (const place of watched.job.places) {
      const there = this.byPlace.get(place);
      there?.delete(watched);
      if (there?.size === 0) this.byPlace.delete(place);
    }
  }
}
