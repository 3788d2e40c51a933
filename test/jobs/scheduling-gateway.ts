/** A Gateway with a scheduler, as scripted, and an inbox that listens to it. */
import { afterEach } from "vitest";
import { createInbox } from "../../src/inbox.ts";
import type { Inbox } from "../../src/inbox-api.ts";
import type { InboxOptions } from "../../src/options.ts";
import { createTestClock, type TestClock } from "../../src/testing/index.ts";
import type { Alarm } from "../../src/types.ts";
import { turn, until } from "../helpers/turns.ts";
import { NOON, topic } from "../recovery/hearing.ts";
import { type Params, type ScriptedSource, scriptedSource } from "../recovery/scripted-source.ts";

export const MINUTE_MS = 60_000;
export const HOUR_MS = 3_600_000;
/** The grace of the inboxes here. */
export const GRACE_MS = 5 * MINUTE_MS;
/** The conversation of named and bound jobs. */
export const CONVERSATION = topic(1);

/** A release of each generation of the wire. */
export const RELEASES = ["2026.5.28", "2026.7.35", "2026.9.1", "2026.9.6"] as const;

export type Target = "main" | "isolated" | "named" | "current";

export interface JobOptions {
  readonly target?: Target;
  readonly name?: string;
  /** In ms from now. Default: ten minutes. */
  readonly inMs?: number;
  /** Default: once. */
  readonly everyMs?: number;
  readonly enabled?: boolean;
  readonly deleteAfterRun?: boolean;
  readonly payload?: Params;
  readonly wakeMode?: string;
  readonly delivery?: Params;
}

/** How a run of a job ends. */
export interface RunEnd {
  /** What is said; absent: nothing is heard of the run. */
  readonly says?: "words" | "silence" | "nothing" | "failure";
  /** What the `finished` event claims. */
  readonly claims?: Params;
  readonly ranMs?: number;
}

interface Job extends Record<string, unknown> {
  readonly id: string;
  readonly name: string;
  enabled: boolean;
  state: Record<string, unknown>;
}

export interface Scheduling {
  readonly clock: TestClock;
  readonly inbox: Inbox;
  readonly source: ScriptedSource;
  readonly alarms: Alarm[];
  /** Alarms in short: job, and whether it is silent. */
  told(): readonly string[];
  /** Sets the Gateway's clock. */
  setClock(byMs: number): void;
  now(): number;
  add(id: string, options?: JobOptions): void;
  edit(id: string, change: Params): void;
  remove(id: string, options?: { readonly untold?: boolean }): void;
  /** Begins a run of the job. */
  start(id: string): void;
  end(id: string, end?: RunEnd): void;
  /** What `cron.list` answers now. */
  listOf(): object;
  /** Both. */
  run(id: string, end?: RunEnd): void;
  /** What the agent says in a session, by its run. */
  final(sessionKey: string, text: string | undefined, extra?: Params): void;
  /** Time goes by, and what comes of it. */
  pass(ms: number): Promise<void>;
  /** Goes on without a connection. */
  cut(): void;
  comeBack(): Promise<void>;
  /** Stops the inbox and starts another one with the same ledger. */
  restart(): Promise<Scheduling>;
}

const opened: Inbox[] = [];

afterEach(async () => {
  for (const inbox of opened.splice(0)) await inbox.stop({ drainMs: 0 });
});

/** Starts it all; the inbox is stopped after the test. */
export async function openScheduling(
  release: string = "2026.9.6",
  options: InboxOptions = {},
  world = createWorld(release),
): Promise<Scheduling> {
  const { clock, source, jobs, runs } = world;
  const inbox = createInbox({ source, clock, jobGraceMs: GRACE_MS, ...options });
  opened.push(inbox);
  const alarms: Alarm[] = [];
  inbox.alarms$.subscribe((alarm) => alarms.push(alarm));
  await inbox.start();
  const isOld = release < "2026.8";
  let isCut = false;
  let runIds = 0;

  const now = () => clock.now() + world.byMs;
  const tell = (action: string, id: string, extra: Params = {}) => {
    if (!isCut) source.event("cron", { jobId: id, action, job: structuredClone(jobs.get(id)), ...extra });
  };
  const jobOf = (id: string): Job => {
    const job = jobs.get(id);
    if (job === undefined) throw new Error(`there is no job ${id}`);
    return job;
  };
  const keyOf = (job: Job): string => {
    const { sessionTarget, state } = job;
    if (sessionTarget === "main")
      return isOld ? `agent:main:cron:${job.id}:run:${String(state["lastRunAtMs"])}` : "agent:main:main";
    if (String(sessionTarget).startsWith("session:")) return CONVERSATION;
    return `agent:main:cron:${job.id}:run:session-${job.id}`;
  };
  const final = (sessionKey: string, text: string | undefined, extra: Params = {}) => {
    runIds += 1;
    const message = text === undefined ? {} : { message: { role: "assistant", content: [{ type: "text", text }] } };
    if (!isCut)
      source.event("chat", { runId: `run-${runIds}`, sessionKey, seq: 9, state: "final", ...message, ...extra });
  };

  const scheduling: Scheduling = {
    clock,
    inbox,
    source,
    alarms,
    told: () =>
      alarms.map((alarm) =>
        alarm.part === "job" ? `${alarm.job} ${alarm.error === undefined ? "heard" : "silent"}` : "ledger",
      ),
    setClock: (byMs) => {
      world.byMs = byMs;
      if (!isCut) source.event("tick", { ts: now() });
    },
    now,
    add(id, { target = "isolated", name = `Job ${id}`, inMs = 10 * MINUTE_MS, everyMs, enabled = true, ...rest } = {}) {
      const { payload, wakeMode = "now", delivery, deleteAfterRun = false } = rest;
      const at = now() + inMs;
      const isBound = target === "current";
      const named = `session:${CONVERSATION}`;
      jobs.set(id, {
        id,
        name,
        agentId: "main",
        enabled,
        deleteAfterRun,
        schedule: everyMs === undefined ? { kind: "at", at: new Date(at).toISOString() } : { kind: "every", everyMs },
        sessionTarget: target === "named" || (isBound && isOld) ? named : target,
        wakeMode,
        ...(isBound && { sessionKey: CONVERSATION }),
        payload:
          payload ??
          (target === "main" ? { kind: "systemEvent", text: "Speak" } : { kind: "agentTurn", message: "Speak" }),
        ...(delivery !== undefined && { delivery }),
        state: { nextRunAtMs: at },
      });
      tell("added", id, { nextRunAtMs: at });
    },
    edit(id, change) {
      jobs.set(id, { ...jobOf(id), ...change });
      tell("updated", id);
    },
    remove(id, { untold = false } = {}) {
      const job = jobOf(id);
      jobs.delete(id);
      if (!isCut && !untold) source.event("cron", { jobId: id, action: "removed", job });
    },
    start(id) {
      const job = jobOf(id);
      job.state = { ...job.state, runningAtMs: now() };
      tell("started", id, { runAtMs: now() });
    },
    end(id, { says, claims = {}, ranMs = 5 } = {}) {
      const job = jobOf(id);
      const { runningAtMs: runAtMs, ...state } = job.state;
      const { everyMs } = job["schedule"] as { everyMs?: number };
      const next = everyMs === undefined ? undefined : now() + everyMs;
      job.state = { ...state, lastRunAtMs: runAtMs, nextRunAtMs: next };
      if (everyMs === undefined) job.enabled = false;
      const speak = () => {
        const key = keyOf(job);
        if (says === "words") final(key, `The words of ${id}.`);
        if (says === "silence") final(key, undefined);
        if (says === "failure") final(key, undefined, { state: "error", errorMessage: "The model is gone" });
        if (says !== "nothing") return;
        final(key, undefined);
        const message = {
          role: "assistant",
          content: [],
          stopReason: "stop",
          __openclaw: { id: `row-${id}`, runId: `run-${runIds}`, seq: 1 },
        };
        if (!isCut) source.event("session.message", { sessionKey: key, message });
      };
      const isLate = isOld && job["sessionTarget"] === "main";
      const summary = job["sessionTarget"] === "main" ? "Speak" : says === "words" ? `The words of ${id}.` : "NO_REPLY";
      const entry = { status: "ok", summary, deliveryStatus: "not-requested", runAtMs, durationMs: ranMs, ...claims };
      runs.set(id, [{ jobId: id, action: "finished", ...entry }, ...(runs.get(id) ?? [])]);
      if (!isLate) speak();
      tell("finished", id, entry);
      if (isLate) speak();
      if (job["deleteAfterRun"] === true) scheduling.remove(id);
    },
    listOf: () =>
      page(
        [...jobs.values()].map((job) => structuredClone(job)),
        { limit: 200 },
      ),
    run(id, end) {
      scheduling.start(id);
      scheduling.end(id, end);
    },
    final,
    async pass(ms) {
      for (let left = ms; left > 0; left -= 5_000) {
        clock.advance(Math.min(left, 5_000));
        if (!isCut && (clock.now() - NOON) % 30_000 === 0) source.event("tick", { ts: now() });
        await turns();
      }
    },
    cut() {
      isCut = true;
      source.cut();
    },
    async comeBack() {
      isCut = false;
      source.comeBack();
      await until(() => inbox.links()[0]?.state === "live", "the link to be live");
      await turns();
    },
    async restart() {
      await inbox.stop({ drainMs: 0 });
      return openScheduling(release, options, world);
    },
  };
  return scheduling;
}

/** What goes on without any inbox. */
function createWorld(release: string) {
  const clock = createTestClock(NOON);
  const jobs = new Map<string, Job>();
  const runs = new Map<string, Params[]>();
  const world = { clock, jobs, runs, byMs: 0 };
  const source = scriptedSource(
    "one",
    (method, params) => {
      if (method === "sessions.list") return { ts: clock.now() + world.byMs, sessions: [] };
      if (method === "cron.list")
        return page(
          [...jobs.values()].map((job) => structuredClone(job)),
          params,
        );
      if (method === "cron.runs")
        return { entries: (runs.get(String(params["id"])) ?? []).slice(0, Number(params["limit"])) };
      if (method === "chat.history") return { messages: [] };
      return {};
    },
    { server: { version: release }, snapshot: { sessionDefaults: { defaultAgentId: "main", mainKey: "main" } } },
  );
  return Object.assign(world, { source });
}

function page(jobs: readonly object[], { offset = 0, limit = 50 }: Params): object {
  const [from, count] = [Number(offset), Number(limit)];
  return { jobs: jobs.slice(from, from + count), hasMore: from + count < jobs.length };
}

/** Answers come some turns of the event loop later. */
async function turns(): Promise<void> {
  for (let n = 0; n < 8; n += 1) await turn();
}
