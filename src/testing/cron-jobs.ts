import { randomUUID } from "node:crypto";
import { announceCronBinding, type Broadcast } from "./session-events.ts";
import type { SessionStatus, Transcripts } from "./transcript.ts";

type Params = Readonly<Record<string, unknown>>;

/** One firing of a cron job. */
export interface CronFiring {
  readonly jobId: string;
  /** The cron run's id, `cron:<jobId>:<ms>`; the chat run has another one. */
  readonly cronRunId: string;
  /** Ends the firing. `summary` goes into the job's history, cut at 2,000 characters. */
  finish(status: SessionStatus, summary: string): void;
}

/** Which job to fire. */
export interface CronFire {
  readonly jobId?: string;
  readonly sessionKey: string;
  /** Where the job runs: `"main"`, `"isolated"`, `"current"` or `"session:<key>"`. */
  readonly target: string;
  readonly prompt: string;
}

/** The cron jobs of a fake Gateway. */
export interface CronJobs {
  fire(fire: CronFire): CronFiring;
  /** Answers `cron.list`. */
  list(params: Params): object;
  /** Answers `cron.runs`. */
  runs(params: Params): object;
}

/** No jobs. A job is created when it first fires. */
export function createCronJobs(broadcast: Broadcast, transcripts: Transcripts, now: () => number): CronJobs {
  const jobs = new Map<string, Params>();
  const entries: Params[] = [];

  function job(fire: CronFire): Params {
    const id = fire.jobId ?? randomUUID();
    const known = jobs.get(id);
    if (known !== undefined) return known;
    const at = now();
    const text = fire.prompt;
    const made = {
      id,
      name: `job-${id.slice(0, 8)}`,
      agentId: "main",
      enabled: true,
      createdAtMs: at,
      schedule: { kind: "at", at: new Date(at).toISOString() },
      sessionTarget: fire.target,
      wakeMode: "now",
      payload:
        fire.target === "main"
          ? { kind: "systemEvent", text }
          : { kind: "agentTurn", message: text, toolsAllow: ["*"] },
      ...(fire.target === "current" ? { sessionKey: fire.sessionKey } : {}),
      ...(fire.target === "main" ? {} : { delivery: { mode: "none" } }),
      state: { nextRunAtMs: at },
      updatedAtMs: at,
    };
    jobs.set(id, made);
    return made;
  }

  function change(jobId: string, state: Params): Params {
    const changed = { ...jobs.get(jobId), state };
    jobs.set(jobId, changed);
    return changed;
  }

  return {
    fire(fire) {
      const runAtMs = now();
      const jobId = String(job(fire)["id"]);
      const started = change(jobId, { nextRunAtMs: runAtMs, runningAtMs: runAtMs });
      const session = () => transcripts.session(fire.sessionKey, "cron");
      broadcast("cron", { jobId, action: "started", job: started, runAtMs });
      return {
        jobId,
        cronRunId: `cron:${jobId}:${runAtMs}`,
        finish(status, summary) {
          const entry = finished(jobId, status, summary, runAtMs, now());
          entries.push({ ts: now(), ...entry, sessionKey: fire.sessionKey });
          const lastRun = { nextRunAtMs: runAtMs, ...lastRunState(status, runAtMs, now()) };
          broadcast("cron", { ...entry, job: change(jobId, lastRun) });
          announceCronBinding(broadcast, session(), now());
        },
      };
    },
    list: (params) => {
      const page = paged([...jobs.values()].map(listed), params, "jobs");
      const deliveryPreviews = Object.fromEntries(
        [...jobs.keys()].map((id) => [id, { label: "not requested", detail: "not requested" }]),
      );
      return { ...page, snapshotRevision: `sha256:${jobs.size}`, deliveryPreviews };
    },
    runs(params) {
      const id = params["id"] ?? params["jobId"];
      const asked = entries.filter(({ jobId }) => id === undefined || jobId === id);
      return paged(asked.reverse(), params, "entries");
    },
  };
}

function finished(jobId: string, status: SessionStatus, summary: string, runAtMs: number, now: number): Params {
  const ok = status === "done";
  return {
    jobId,
    action: "finished",
    status: ok ? "ok" : "error",
    completionStatus: ok ? "succeeded" : "failed",
    summary: summary.slice(0, 2_000),
    deliveryStatus: "not-requested",
    runAtMs,
    durationMs: now - runAtMs,
    nextRunAtMs: runAtMs,
  };
}

function lastRunState(status: SessionStatus, runAtMs: number, now: number): Params {
  const runStatus = status === "done" ? "ok" : "error";
  return {
    lastRunAtMs: runAtMs,
    lastRunStatus: runStatus,
    lastStatus: runStatus,
    lastDurationMs: now - runAtMs,
    lastDeliveryStatus: "not-requested",
    lastFailureNotificationDeliveryStatus: "not-requested",
    consecutiveErrors: runStatus === "ok" ? 0 : 1,
    consecutiveSkipped: 0,
  };
}

function listed(job: Params): Params {
  return { ...job, configRevision: "sha256:fake", effectiveAgentId: "main" };
}

function paged(items: readonly Params[], params: Params, name: string): Params {
  const offset = typeof params["offset"] === "number" ? params["offset"] : 0;
  const limit = typeof params["limit"] === "number" ? params["limit"] : 50;
  const page = items.slice(offset, offset + limit);
  const hasMore = offset + page.length < items.length;
  return {
    [name]: page,
    total: items.length,
    offset,
    limit,
    hasMore,
    nextOffset: hasMore ? offset + page.length : null,
  };
}
