import { inSlices } from "../kit/background.ts";
import type { Clock } from "../kit/clock.ts";
import { startTimer, type Timer } from "../kit/timer.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { fields, isTime, readId } from "../protocol/fields.ts";
import { jobIdOf } from "../protocol/origin.ts";
import type { Report } from "../report/report.ts";
import type { Origin } from "../types.ts";
import { type Answer, Firing } from "./firing.ts";
import { GatewayTime } from "./gateway-time.ts";
import { type CronJob, type MainSessions, placeOf, readClaim, readJob, readMainSessions } from "./job.ts";
import { heardAlarm, silenceAlarm } from "./job-alarm.ts";
import { type Ask, lastClaim, listJobs } from "./job-list.ts";
import { type RememberedJob, RememberedJobs } from "./remembered-jobs.ts";
import { type Watched, WatchedJobs } from "./watched-jobs.ts";

/** What a {@link JobWatch} needs. */
export interface JobWatchOptions {
  readonly gateway: string;
  readonly clock: Clock;
  readonly report: Report;
  /** How long a due job may take to say something, in ms, above 0. */
  readonly graceMs: number;
  /** Whether runs under this session key are for this host. */
  readonly isOurs: (sessionKey: string) => boolean;
  readonly ask: Ask;
  readonly ledger: Pick<Ledger, "cursor" | "setCursor">;
  /** The session keys of the runs in `buffering`. */
  readonly liveKeys: () => Iterable<string>;
  /** Whether missed runs are still being looked for. Until then nothing can be said about them. */
  readonly isCatchingUp: () => boolean;
}

/** The end of a run, as far as jobs need it. */
export interface HeardEnd {
  readonly runId: string;
  /** The run's job, if it is known. */
  readonly jobId?: string | undefined;
  readonly sessionKey: string | undefined;
  readonly answer: Answer;
  readonly origin: Origin;
}

/** A connection whose jobs are known. */
export interface Connected {
  /** The Gateway's `hello-ok` payload. */
  readonly hello: unknown;
  /** Whether the agent may speak some time after its job has ended. */
  readonly speaksAfterEnd: boolean;
  /** Aborted when the connection is lost. */
  readonly signal: AbortSignal;
  /** {@link JobWatch.eventCount} when the list was asked for. */
  readonly asOf: number;
}

/** The longest time between two checks for due jobs, in ms. */
const LONGEST_SWEEP_MS = 10_000;
/** A job that ended after its grace may still be heard for this long, in ms. */
const AFTER_END_MS = 30_000;
/** In a shared session, words later than this after the end of a job do not belong to the job, in ms. */
const SHARED_AFTER_END_MS = 10_000;
/** The most requests about single jobs in one check. */
const MAX_LOOKUPS = 200;
/** Origins of runs that do not belong to a job. */
const NOT_JOBS: ReadonlySet<Origin> = new Set(["requested", "injected", "announcement"]);

/**
 * Knows which cron jobs of a Gateway should speak when. It raises an alarm when a job was due and nothing came: no
 * words, no token of silence, no failure. What the Gateway says about its jobs is not an answer; the alarm quotes it.
 * Nothing that a Gateway sends makes it throw.
 */
export class JobWatch {
  private readonly options: JobWatchOptions;
  private readonly watched: WatchedJobs;
  private readonly time: GatewayTime;
  private readonly sweepMs: number;
  private main: MainSessions = readMainSessions(undefined);
  /** Aborted when the connection with the known jobs is lost; undefined without one. */
  private connection: AbortSignal | undefined;
  private timer: Timer | undefined;
  private isLooking = false;
  /** How many `cron` events there were. */
  eventCount = 0;
  private readonly remembered: RememberedJobs;
  /** What an earlier process knew; undefined until it is read. */
  private before: Map<string, RememberedJob> | undefined;
  /** Whether there are changes to save. */
  private isChanged = false;
  /** Whether words some time after a job's end may belong to the job. */
  private speaksAfterEnd = false;

  constructor(options: JobWatchOptions) {
    this.options = options;
    this.watched = new WatchedJobs(options.report);
    this.sweepMs = Math.max(1, Math.min(LONGEST_SWEEP_MS, Math.floor(options.graceMs / 4)));
    this.time = new GatewayTime(options.clock, 2 * this.sweepMs);
    this.remembered = new RememberedJobs(options.ledger, options.gateway);
  }

  /**
   * The Gateway has accepted a connection, and these are its jobs. A job that became due in between has its whole grace
   * from now on. Its run may be found in the history, or the Gateway may start it late.
   */
  async begin(jobs: readonly unknown[], connected: Connected): Promise<void> {
    const { hello, signal, speaksAfterEnd, asOf } = connected;
    this.before ??= new Map((await this.remembered.read()).map((job) => [job.id, job]));
    if (signal.aborted) return;
    this.main = readMainSessions(hello);
    this.speaksAfterEnd = speaksAfterEnd;
    const listed = new Set<string>();
    const isWhole = await inSlices(
      jobs,
      (raw) => {
        const job = readJob(raw, this.main);
        if (job === undefined) return;
        listed.add(job.id);
        // What events have told since is newer.
        if ((this.watched.get(job.id)?.toldAt ?? 0) <= asOf) this.reconcile(job);
      },
      { signal },
    );
    if (!isWhole) return;
    this.before.clear();
    const isNew = this.connection !== signal;
    for (const { job, firing, toldAt } of this.watched.all()) {
      if (isNew) firing?.allow(this.time.elapsed() + this.options.graceMs);
      if (!listed.has(job.id) && toldAt <= asOf) this.removed(job.id);
    }
    if (!isNew) return;
    this.connection = signal;
    this.sweepLater();
  }

  /** The connection is lost. There are no alarms until it is back. */
  lost(): void {
    this.connection = undefined;
    this.timer?.cancel();
    this.timer = undefined;
    for (const { firing } of this.watched.all()) firing?.miss();
    this.remember();
  }

  /** Called with every event that is not a chat event. */
  event({ event, payload }: { readonly event: string; readonly payload: unknown }): void {
    const raw = fields(payload);
    if (event === "cron") this.cron(raw);
    else if (event === "tick" || event === "health") this.time.hear(raw["ts"]);
  }

  private cron(raw: Readonly<Record<string, unknown>>): void {
    const job = readJob(raw["job"], this.main);
    const id = readId(raw["jobId"]) ?? job?.id;
    if (id === undefined) return;
    this.eventCount += 1;
    switch (raw["action"]) {
      case "removed":
        this.removed(id);
        break;
      case "started":
        this.learn(job);
        this.started(id, raw["runAtMs"]);
        break;
      case "finished":
        this.finished(id, raw);
        this.learn(job);
        break;
      default:
        this.learn(job);
    }
    const watched = this.watched.get(id);
    if (watched !== undefined) watched.toldAt = this.eventCount;
  }

  /** The Gateway's clock is at `ts`. */
  hearTime(ts: unknown): void {
    this.time.hear(ts);
  }

  /** A run has ended; it may belong to a job or not. */
  heard({ runId, jobId, sessionKey, answer, origin }: HeardEnd): void {
    const id = jobId ?? jobIdOf(runId, sessionKey);
    const own = id === undefined ? undefined : this.watched.get(id);
    if (own !== undefined) return this.answered(own, answer, true);
    if (sessionKey === undefined || NOT_JOBS.has(origin)) return;
    for (const watched of this.watched.at(placeOf(sessionKey))) this.answered(watched, answer, false);
  }

  /** Ends everything, for good. */
  stop(): void {
    this.lost();
    // The ledger remembers what is forgotten here.
    for (const { job } of this.watched.all()) this.forget(job.id);
    this.isChanged = false;
  }

  private answered(watched: Watched, answer: Answer, isOwn: boolean): void {
    const { firing } = watched;
    if (firing === undefined) {
      // It is late, but it spoke.
      if (isOwn && answer === "spoke" && watched.silentSince !== undefined) this.cameBack(watched);
      return;
    }
    if (!isOwn && !firing.mayHear(this.time.elapsed())) return;
    firing.hear(answer);
    this.conclude(watched);
  }

  private started(id: string, runAt: unknown): void {
    const watched = this.watched.get(id);
    if (watched === undefined) return;
    this.open(watched, isDueBy(watched, runAt) ? watched.due : runAt).start();
  }

  private finished(id: string, raw: Readonly<Record<string, unknown>>): void {
    const watched = this.watched.get(id);
    if (watched === undefined) return;
    const { graceMs } = this.options;
    const firing = this.open(watched, raw["runAtMs"]);
    const now = this.time.elapsed();
    const until = this.speaksAfterEnd || watched.job.isReminder ? Number.POSITIVE_INFINITY : now + SHARED_AFTER_END_MS;
    firing.end(readClaim(raw), until, now + Math.min(graceMs, AFTER_END_MS));
    this.conclude(watched);
  }

  private removed(id: string): void {
    const watched = this.watched.get(id);
    if (watched === undefined) return;
    // A job that is deleted after its run must still have spoken.
    if (watched.job.runsOnce && watched.firing?.isOver === true) watched.firing.isLast = true;
    else this.forget(id);
  }

  /** Reads what the Gateway says about a job. */
  private learn(job: CronJob | undefined): void {
    if (job === undefined) return;
    const known = this.watched.get(job.id);
    if (!job.speaks || !this.isOurs(job)) return this.forget(job.id);
    // A job that runs once is disabled when it has run. A job that is disabled while it runs is stopped.
    if (!job.isEnabled) return known?.firing?.mayHaveEnded === true ? this.update(known, job) : this.forget(job.id);
    if (known !== undefined) return this.update(known, job);
    // After a job that runs once has run, the Gateway may still say that it is due at that time.
    const hasRun = job.nextRunAt !== undefined && job.lastRunAt !== undefined && job.lastRunAt >= job.nextRunAt;
    this.follow(job, hasRun ? job.nextRunAt : undefined);
  }

  private follow(job: CronJob, wasDue: number | undefined): void {
    if (this.watched.add(job, wasDue, this.time.setBackMs) !== undefined) this.isChanged = true;
  }

  private update(watched: Watched, job: CronJob): void {
    const { job: before, firing } = watched;
    // Somebody has changed when it is due.
    if (before.schedule !== job.schedule && firing?.isStarted === false) watched.firing = undefined;
    else if (before.schedule === job.schedule) this.openIfDue(watched);
    const due = job.nextRunAt === watched.wasDue ? undefined : job.nextRunAt;
    if (due !== watched.due) Object.assign(watched, { due, setBackMs: this.time.setBackMs });
    this.isChanged ||= before.lastRunAt !== job.lastRunAt || before.nextRunAt !== job.nextRunAt;
    this.watched.update(watched, job);
  }

  /** The same after a time without a connection. The job may have run, or been skipped. */
  private reconcile(job: CronJob): void {
    this.restore(job);
    const before = this.watched.get(job.id);
    const { lastRunAt } = job;
    if (before !== undefined && lastRunAt !== undefined && before.job.lastRunAt !== lastRunAt) {
      const firing = this.open(before, isDueBy(before, lastRunAt) ? before.due : lastRunAt);
      if (!firing.isOver) firing.start();
      firing.miss();
    }
    this.learn(job);
    const watched = this.watched.get(job.id);
    if (watched === undefined) return;
    if (job.runningAt !== undefined) this.started(job.id, job.runningAt);
    else watched.firing?.stopRunning();
  }

  /** Continues with a job where an earlier process was. */
  private restore(job: CronJob): void {
    const known = this.before?.get(job.id);
    if (known === undefined || this.watched.get(job.id) !== undefined) return;
    if (!job.speaks || !this.isOurs(job)) return;
    const { due: nextRunAt, lastRunAt, schedule, silentSince } = known;
    this.follow({ ...job, nextRunAt, lastRunAt, schedule }, undefined);
    const watched = this.watched.get(job.id);
    if (watched === undefined || silentSince === undefined) return;
    watched.silentSince = silentSince;
    this.options.report.jobRemembered();
  }

  private remember(): void {
    if (!this.isChanged) return;
    this.isChanged = false;
    const jobs = this.watched.all().map(({ job, due, firing, silentSince }) => ({
      id: job.id,
      due: firing?.due ?? due,
      lastRunAt: firing === undefined ? job.lastRunAt : firing.lastRunAt,
      schedule: job.schedule,
      silentSince,
    }));
    this.remembered.write(jobs);
  }

  private forget(id: string): void {
    if (this.watched.remove(id)) this.isChanged = true;
  }

  private isOurs({ sessionKey }: CronJob): boolean {
    return this.options.isOurs(sessionKey);
  }

  /**
   * Starts waiting for the job, if it was not waiting already. `due` is when it should have spoken, if that can be a
   * time.
   */
  private open(watched: Watched, due: unknown): Firing {
    const dueAt = isTime(due) ? due : this.time.now();
    if (watched.firing === undefined) {
      const deadline = this.time.elapsed() + this.options.graceMs;
      watched.firing = new Firing(dueAt, watched.job.lastRunAt, deadline);
      if (dueAt === watched.due) Object.assign(watched, { due: undefined, wasDue: dueAt });
      this.isChanged = true;
    }
    return watched.firing;
  }

  private openIfDue(watched: Watched): void {
    const { due, setBackMs, firing } = watched;
    if (firing === undefined && due !== undefined && this.isPast(due, setBackMs)) this.open(watched, due);
  }

  /**
   * When the Gateway's clock was set back, nothing becomes due later. If the host's clock agrees with the new time, the
   * clock was corrected, and this does not apply.
   */
  private isPast(due: number, setBackMs: number): boolean {
    const { time, options } = this;
    const now = time.now();
    if (now >= due) return true;
    const setBack = time.setBackMs - setBackMs;
    return setBack > 0 && now + setBack >= due && options.clock.now() >= due;
  }

  private sweepLater(): void {
    this.timer?.cancel();
    this.timer = startTimer(this.options.clock, this.sweepMs, () => {
      this.sweepLater();
      this.time.elapsed();
      const { connection } = this;
      if (connection !== undefined && !this.isLooking) void this.sweep(connection);
      this.remember();
    });
  }

  private async sweep(signal: AbortSignal): Promise<void> {
    this.isLooking = true;
    const overdue: Watched[] = [];
    await inSlices(
      this.watched.all(),
      (watched) => {
        this.openIfDue(watched);
        if (watched.firing?.isOverdue(this.time.elapsed()) === true) overdue.push(watched);
      },
      { signal },
    );
    try {
      if (!signal.aborted && !this.options.isCatchingUp()) await this.review(overdue, signal);
    } finally {
      this.isLooking = false;
    }
  }

  private async review(overdue: readonly Watched[], signal: AbortSignal): Promise<void> {
    const silent = overdue.filter((watched) => {
      const { firing, job } = watched;
      if (firing?.isOver !== true || !firing.isAnswered(job)) return true;
      this.decide(watched, firing);
      return false;
    });
    if (silent.length > 0) await this.lookUp(silent, signal);
  }

  /** Asks the Gateway about overdue jobs, before an alarm is raised. */
  private async lookUp(overdue: readonly Watched[], signal: AbortSignal): Promise<void> {
    const { ask, graceMs } = this.options;
    const jobs = new Map<string, CronJob>();
    try {
      const wanted = new Set(overdue.map(({ job }) => job.id));
      await inSlices(await listJobs(ask), (raw) => {
        const job = wanted.has(readId(fields(raw)["id"]) ?? "") ? readJob(raw, this.main) : undefined;
        if (job !== undefined) jobs.set(job.id, job);
      });
    } catch {
      // The asking part has counted and logged it.
      for (const { firing } of overdue) firing?.allow(this.time.elapsed() + Math.min(graceMs, AFTER_END_MS));
      return;
    }
    const live = new Set<string>();
    for (const key of this.options.liveKeys()) live.add(placeOf(key)).add(jobIdOf("", key) ?? "");
    let lookups = 0;
    for (const watched of overdue) {
      const { firing, job } = watched;
      if (signal.aborted || lookups >= MAX_LOOKUPS) return;
      if (firing === undefined || this.watched.get(job.id) !== watched) continue;
      const listed = jobs.get(job.id);
      if (this.mayStillSpeak(watched, firing, listed, live)) continue;
      if (firing.isStarted && firing.claim === undefined) {
        lookups += 1;
        const claim = await lastClaim(this.options.ask, job.id);
        if (signal.aborted || watched.firing !== firing) continue;
        if (claim !== undefined) firing.claim ??= claim;
      }
      this.decide(watched, firing);
    }
  }

  /** Whether it is too early to decide. Also drops firings that need no decision. */
  private mayStillSpeak(
    watched: Watched,
    firing: Firing,
    listed: CronJob | undefined,
    live: ReadonlySet<string>,
  ): boolean {
    const { job } = watched;
    if (listed === undefined) {
      // It was removed, and we were not told. If it was removed because it has run, its end was heard.
      if (!firing.isLast) this.forget(job.id);
      return !firing.isLast;
    }
    const isEdited = !listed.isEnabled || !listed.speaks || listed.schedule !== job.schedule;
    // The time seemed to be past, but with the Gateway's own clock it may not be.
    if (!firing.isStarted && (isEdited || !this.isPast(firing.due, watched.setBackMs))) {
      Object.assign(watched, { firing: undefined, wasDue: undefined });
      this.learn(listed);
      return true;
    }
    if (!firing.isStarted && listed.lastRunAt !== firing.lastRunAt) {
      // Its events were lost.
      firing.start();
      firing.miss();
    }
    const isLive = live.has(job.id) || job.places.some((place) => live.has(place));
    if (listed.runningAt !== undefined) firing.start();
    else firing.stopRunning();
    if (listed.runningAt === undefined && !isLive) return false;
    firing.allow(this.time.elapsed() + this.options.graceMs);
    return true;
  }

  /** Ends the waiting when the job is over and has answered. */
  private conclude(watched: Watched): void {
    const { firing, job } = watched;
    // When a run ends without words, it is known only later whether nothing was said.
    if (firing?.isOver === true && firing.hasHeard && firing.isAnswered(job)) this.decide(watched, firing);
  }

  /** The time is over, and nothing is left to look up. */
  private decide(watched: Watched, firing: Firing): void {
    const { job } = watched;
    // It may have been removed while the Gateway was asked.
    if (this.watched.get(job.id) !== watched) return;
    watched.firing = undefined;
    this.isChanged = true;
    if (firing.isAnswered(job)) {
      if (watched.silentSince !== undefined) this.cameBack(watched);
    } else if (watched.silentSince === undefined) {
      watched.silentSince = firing.due;
      const { gateway, report } = this.options;
      report.jobSilent(silenceAlarm(gateway, job, firing));
    }
    if (firing.isLast) this.forget(job.id);
  }

  private cameBack(watched: Watched): void {
    const { gateway, report } = this.options;
    const { job, silentSince = 0 } = watched;
    watched.silentSince = undefined;
    report.jobHeard(heardAlarm(gateway, job, silentSince));
  }
}

/** Whether the job was due when it ran, and was not run by hand before. Gateways run a job some ms early. */
function isDueBy({ due }: Watched, runAt: unknown): boolean {
  return due !== undefined && typeof runAt === "number" && due <= runAt + 1_000;
}
