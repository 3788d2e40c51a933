import { describe, expect, it } from "vitest";
import { InboxError } from "../../src/errors.ts";
import { JobWatch } from "../../src/jobs/job-watch.ts";
import { createMemoryLedger } from "../../src/ledger/memory.ts";
import { Report } from "../../src/report/report.ts";
import { createTestClock } from "../../src/testing/index.ts";
import type { Alarm } from "../../src/types.ts";
import {
  CONVERSATION,
  GRACE_MS,
  HOUR_MS,
  MINUTE_MS,
  openScheduling,
  RELEASES,
  type Target,
} from "./scheduling-gateway.ts";

const TARGETS: readonly Target[] = ["main", "isolated", "named", "current"];
const OF_EACH = RELEASES.flatMap((release) => TARGETS.map((target) => [release, target] as const));
/** Until a job that is due in ten minutes is due. */
const DUE_MS = 10 * MINUTE_MS;
/** The longest that an alarm comes after the grace. */
const LATEST_MS = 30_000;

describe("a job that is due", () => {
  it.each(OF_EACH)("raises no alarm when it speaks (%s, %s)", async (release, target) => {
    const { add, run, pass, told, inbox } = await openScheduling(release);
    add("a", { target });
    await pass(DUE_MS);
    run("a", { says: "words" });
    await pass(HOUR_MS);
    expect(told()).toEqual([]);
    expect(inbox.stats().jobAlarms).toBe(0);
  });

  it.each(OF_EACH)("raises no alarm when it says a token of silence (%s, %s)", async (release, target) => {
    const { add, run, pass, told } = await openScheduling(release);
    add("a", { target });
    await pass(DUE_MS);
    run("a", { says: "silence" });
    await pass(HOUR_MS);
    expect(told()).toEqual([]);
  });

  it.each(OF_EACH)("raises no alarm when its run fails (%s, %s)", async (release, target) => {
    const { add, run, pass, told } = await openScheduling(release);
    add("a", { target });
    await pass(DUE_MS);
    run("a", { says: "failure", claims: { status: "error" } });
    await pass(HOUR_MS);
    expect(told()).toEqual([]);
  });

  it.each(OF_EACH)("raises an alarm when it is ok in 1 ms and silent (%s, %s)", async (release, target) => {
    const { add, run, pass, alarms, now, inbox } = await openScheduling(release);
    add("a", { target });
    const due = now() + DUE_MS;
    await pass(DUE_MS);
    run("a", { ranMs: 1, claims: { summary: "" } });
    await pass(GRACE_MS - 1_000);
    expect(alarms).toEqual([]);
    await pass(LATEST_MS);
    expect(alarms).toMatchObject([
      {
        part: "job",
        gateway: "one",
        job: "a",
        name: "Job a",
        due,
        claimed: { status: "ok", ranMs: 1, delivery: "not-requested" },
        error: { code: "ERR_INBOX_JOB" },
      },
    ]);
    expect(inbox.stats()).toMatchObject({ jobAlarms: 1, silentJobs: 1 });
  });

  it.each(OF_EACH)("raises an alarm when its agent answers nothing (%s, %s)", async (release, target) => {
    const { add, run, pass, told } = await openScheduling(release);
    add("a", { target });
    await pass(DUE_MS);
    run("a", { says: "nothing" });
    await pass(GRACE_MS + LATEST_MS);
    expect(told()).toEqual(["a silent"]);
  });

  it.each(RELEASES)("raises an alarm when it is not run (%s)", async (release) => {
    const { add, pass, alarms } = await openScheduling(release);
    add("a");
    await pass(DUE_MS + GRACE_MS - 1_000);
    expect(alarms).toEqual([]);
    await pass(LATEST_MS);
    expect(alarms).toHaveLength(1);
    expect(alarms[0]?.error?.message).toContain("has not run");
    expect(alarms[0]).not.toHaveProperty("claimed");
  });

  it.each(RELEASES)("raises no alarm when it waits until the agent has time (%s)", async (release) => {
    const { add, run, pass, told, final } = await openScheduling(release);
    add("a", { target: "main" });
    await pass(DUE_MS);
    run("a");
    await pass(2 * MINUTE_MS);
    final(release < "2026.8" ? "agent:main:cron:a:run:1" : "agent:main:main", "Sorry, I was busy.");
    await pass(HOUR_MS);
    expect(told()).toEqual([]);
  });

  it("raises an alarm although catching up is repeated again and again", async () => {
    const { add, pass, told, source, cut, comeBack, now } = await openScheduling();
    const session = { key: CONVERSATION, sessionId: "one", updatedAt: 1, hasActiveRun: true };
    source.respond("sessions.list", () => ({ ts: now(), sessions: [session] }));
    source.respond("chat.history", () => Promise.reject(new InboxError("ERR_INBOX_REQUEST", "no")));
    add("a");
    cut();
    await comeBack();
    await pass(DUE_MS + GRACE_MS + LATEST_MS);
    expect(source.asked.filter(([method]) => method === "chat.history").length).toBeGreaterThan(3);
    expect(told()).toEqual(["a silent"]);
  });

  it("raises an alarm in a conversation whose key has capitals", async () => {
    const key = "agent:main:matrix:channel:!AbC:example.org";
    const session = (given: string) => (given === key ? {} : undefined);
    const { add, edit, pass, told } = await openScheduling("2026.9.6", { session });
    add("a", { target: "named" });
    add("b");
    edit("b", { sessionTarget: `session:${key}` });
    await pass(DUE_MS + GRACE_MS + LATEST_MS);
    expect(told()).toEqual(["b silent"]);
  });

  it("raises an alarm when the Gateway passes it over", async () => {
    const { add, edit, pass, told, now } = await openScheduling();
    add("a", { everyMs: HOUR_MS });
    await pass(DUE_MS + 1_000);
    edit("a", { state: { nextRunAtMs: now() + HOUR_MS } });
    await pass(GRACE_MS + LATEST_MS);
    expect(told()).toEqual(["a silent"]);
  });

  it("raises an alarm with the Gateway's claim when its session refuses it", async () => {
    const { add, run, pass, alarms } = await openScheduling();
    add("a", { target: "named" });
    await pass(DUE_MS);
    run("a", { ranMs: 19, claims: { status: "error", summary: undefined, error: "The session is archived." } });
    await pass(GRACE_MS + LATEST_MS);
    expect(alarms).toMatchObject([{ claimed: { status: "error", ranMs: 19, reason: "The session is archived." } }]);
  });

  it("raises an alarm when its words do not reach the channel it names", async () => {
    const { add, run, pass, alarms } = await openScheduling();
    add("a", { delivery: { mode: "announce", channel: "telegram", to: "1" } });
    add("b", { delivery: { mode: "announce" } });
    await pass(DUE_MS);
    run("a", { says: "words", claims: { deliveryStatus: "not-delivered" } });
    run("b", { says: "words", claims: { status: "error", deliveryStatus: "unknown" } });
    await pass(GRACE_MS + LATEST_MS);
    expect(alarms).toMatchObject([{ job: "a", claimed: { status: "ok", delivery: "not-delivered" } }]);
  });

  it("raises an alarm when it deletes itself after a silent run", async () => {
    const { add, run, pass, told, inbox } = await openScheduling();
    add("a", { deleteAfterRun: true });
    await pass(DUE_MS);
    run("a");
    await pass(GRACE_MS + LATEST_MS);
    expect(told()).toEqual(["a silent"]);
    expect(inbox.stats()).toMatchObject({ jobs: 0, silentJobs: 0 });
  });

  it("raises one alarm until it is heard again", async () => {
    const { add, run, pass, told, inbox } = await openScheduling();
    add("a", { everyMs: 20 * MINUTE_MS });
    await pass(DUE_MS);
    run("a");
    await pass(20 * MINUTE_MS);
    run("a");
    await pass(20 * MINUTE_MS);
    expect(told()).toEqual(["a silent"]);
    run("a", { says: "words" });
    await pass(1_000);
    expect(told()).toEqual(["a silent", "a heard"]);
    expect(inbox.stats()).toMatchObject({ jobAlarms: 1, silentJobs: 0 });
    await pass(20 * MINUTE_MS);
    run("a");
    await pass(GRACE_MS + LATEST_MS);
    expect(told()).toEqual(["a silent", "a heard", "a silent"]);
  });

  it("is heard again by late words", async () => {
    const { add, run, pass, told, final } = await openScheduling();
    add("a");
    await pass(DUE_MS);
    run("a");
    await pass(GRACE_MS + LATEST_MS);
    final("agent:main:cron:a:run:session-a", "Sorry for the delay.");
    await pass(1_000);
    expect(told()).toEqual(["a silent", "a heard"]);
  });

  it("is not heard by the words of others in its session", async () => {
    const { add, run, pass, told, final, source } = await openScheduling();
    add("a", { target: "named" });
    await pass(DUE_MS);
    final(CONVERSATION, "Said before.");
    run("a");
    await pass(1_000);
    source.event("chat", { runId: "asked", sessionKey: CONVERSATION, state: "status", phase: "starting_model" });
    final(CONVERSATION, "Somebody asked.", { runId: "asked" });
    await pass(MINUTE_MS);
    final(CONVERSATION, "Said a minute later.");
    await pass(GRACE_MS);
    expect(told()).toEqual(["a silent"]);
  });
});

describe("an alarm", () => {
  it("is not raised for a disabled job", async () => {
    const { add, edit, pass, told } = await openScheduling();
    add("a", { enabled: false });
    add("b");
    await pass(DUE_MS - 1_000);
    edit("b", { enabled: false });
    await pass(HOUR_MS);
    expect(told()).toEqual([]);
  });

  it("is not raised for a job that is disabled while it runs", async () => {
    const { add, start, end, edit, pass, told } = await openScheduling();
    add("a", { everyMs: 20_000 });
    await pass(DUE_MS);
    start("a");
    edit("a", { enabled: false });
    end("a", { claims: { status: "error", summary: undefined } });
    await pass(HOUR_MS);
    expect(told()).toEqual([]);
  });

  it.each([
    ["a command", { payload: { kind: "command", command: "date" } }],
    ["a heartbeat", { target: "main", payload: { kind: "heartbeat" }, wakeMode: "next-heartbeat" }],
    ["a reminder that waits for the next heartbeat", { target: "main", wakeMode: "next-heartbeat" }],
    ["a payload of an unknown kind", { payload: { kind: "hologram" } }],
  ] as const)("is not raised for %s", async (_, options) => {
    const { add, run, pass, told, inbox } = await openScheduling();
    add("a", options);
    await pass(DUE_MS);
    run("a");
    await pass(HOUR_MS);
    expect(told()).toEqual([]);
    expect(inbox.stats().jobs).toBe(0);
  });

  it.each([true, false])("is not raised for a deleted job (untold: %s)", async (untold) => {
    const { add, remove, pass, told } = await openScheduling();
    add("a");
    await pass(DUE_MS + MINUTE_MS);
    remove("a", { untold });
    await pass(HOUR_MS);
    expect(told()).toEqual([]);
  });

  it("is not raised for a job that was put off", async () => {
    const { add, edit, pass, told, now } = await openScheduling();
    add("a");
    await pass(DUE_MS - 1_000);
    const at = now() + 2 * HOUR_MS;
    edit("a", { schedule: { kind: "at", at: new Date(at).toISOString() }, state: { nextRunAtMs: at } });
    await pass(HOUR_MS);
    expect(told()).toEqual([]);
  });

  it("is not raised for a job that is still running", async () => {
    const { add, start, end, pass, told } = await openScheduling();
    add("a");
    await pass(DUE_MS);
    start("a");
    await pass(HOUR_MS);
    expect(told()).toEqual([]);
    end("a", { says: "words" });
    await pass(HOUR_MS);
    expect(told()).toEqual([]);
  });

  it("is not raised for a job whose agent is still speaking", async () => {
    const { add, run, pass, told, source } = await openScheduling("2026.7.35");
    add("a", { target: "main" });
    await pass(DUE_MS);
    run("a");
    const key = "agent:main:cron:a:run:1";
    source.event("chat", { runId: "run-a", sessionKey: key, seq: 1, state: "delta", deltaText: "I think" });
    await pass(20 * MINUTE_MS);
    expect(told()).toEqual([]);
    source.event("chat", { runId: "run-a", sessionKey: key, seq: 9, state: "final" });
    await pass(HOUR_MS);
    expect(told()).toEqual([]);
  });

  it("is not raised for a job that is removed while its last run is looked up", async () => {
    const { add, start, edit, remove, pass, told, source, inbox, now } = await openScheduling();
    add("a", { everyMs: HOUR_MS });
    await pass(DUE_MS);
    start("a");
    edit("a", { state: { nextRunAtMs: now() + HOUR_MS } });
    const answer = Promise.withResolvers<object>();
    let isAsked = false;
    source.respond("cron.runs", () => {
      isAsked = true;
      return answer.promise;
    });
    while (!isAsked) await pass(5_000);
    remove("a");
    answer.resolve({ entries: [] });
    await pass(MINUTE_MS);
    expect(told()).toEqual([]);
    expect(inbox.stats().silentJobs).toBe(0);
  });

  it("is not raised for a job of a conversation that is not ours", async () => {
    const session = (key: string) => (key === CONVERSATION ? {} : undefined);
    const { add, pass, told, inbox } = await openScheduling("2026.9.6", { session });
    add("a");
    add("b", { target: "current" });
    await pass(DUE_MS + GRACE_MS + LATEST_MS);
    expect(told()).toEqual(["b silent"]);
    expect(inbox.stats().jobs).toBe(1);
  });

  it("is not raised for a failed job when an older list of jobs comes after its end", async () => {
    const { add, run, pass, told, source, comeBack, cut, listOf } = await openScheduling();
    add("a", { everyMs: HOUR_MS });
    await pass(DUE_MS);
    const older = listOf();
    const current = Promise.withResolvers<object>();
    const asked = Promise.withResolvers<void>();
    source.respond("cron.list", () => {
      asked.resolve();
      return current.promise;
    });
    cut();
    const back = comeBack();
    await asked.promise;
    run("a", { says: "failure", claims: { status: "error", summary: undefined } });
    current.resolve(older);
    await back;
    source.respond("cron.list", listOf);
    cut();
    await comeBack();
    await pass(HOUR_MS - MINUTE_MS);
    expect(told()).toEqual([]);
  });

  it("is not raised for a message that another host has taken", async () => {
    const ledger = createMemoryLedger();
    const shared = { ...ledger, take: async () => "known" as const };
    const { add, run, pass, told, inbox } = await openScheduling("2026.9.6", { ledger: shared });
    add("a");
    await pass(DUE_MS);
    run("a", { says: "words" });
    await pass(HOUR_MS);
    expect(inbox.stats().alreadyTaken).toBe(1);
    expect(told()).toEqual([]);
  });

  it("is not raised with a grace of 0", async () => {
    const { add, pass, told, inbox } = await openScheduling("2026.9.6", { jobGraceMs: 0 });
    add("a");
    await pass(HOUR_MS);
    expect(told()).toEqual([]);
    expect(inbox.stats().jobs).toBe(0);
  });
});

describe("the watch", () => {
  it("follows 10,000 jobs and counts the rest", async () => {
    const first = await openScheduling();
    for (let n = 0; n < 10_050; n += 1) first.add(`job-${n}`, { inMs: HOUR_MS });
    expect(first.inbox.stats()).toMatchObject({ jobs: 10_000, jobsOverLimit: 50 });
    const { inbox, source } = await first.restart();
    expect(inbox.stats()).toMatchObject({ jobs: 10_000, jobsOverLimit: 50 });
    const offsets = source.asked.flatMap(([method, params]) => (method === "cron.list" ? [params["offset"] ?? 0] : []));
    expect(offsets).toContain(10_000);
  });

  it("lets the event loop turn while it reads a long list", async () => {
    const clock = createTestClock();
    const report = new Report({ joined: () => [] });
    const watch = new JobWatch({
      gateway: "one",
      clock,
      report,
      graceMs: GRACE_MS,
      ledger: createMemoryLedger({ clock }),
      isOurs: () => true,
      ask: async () => ({}),
      liveKeys: () => [],
      isCatchingUp: () => false,
    });
    const job = (n: number) => ({ id: `job-${n}`, payload: { kind: "agentTurn" }, state: { nextRunAtMs: HOUR_MS } });
    const jobs = Array.from({ length: 100_000 }, (_, n) => job(n));
    let turns = 0;
    const count = () => {
      turns += 1;
      ticking = setImmediate(count);
    };
    let ticking = setImmediate(count);
    await watch.begin(jobs, { hello: {}, speaksAfterEnd: false, signal: new AbortController().signal, asOf: 0 });
    clearImmediate(ticking);
    watch.stop();
    expect(report.stats.jobsOverLimit).toBe(90_000);
    expect(turns).toBeGreaterThan(5);
  });

  it("keeps names of jobs and the Gateway's words out of the log", async () => {
    const lines: string[] = [];
    const line = (fields: object, text: string) => lines.push(JSON.stringify(fields) + text);
    const { add, run, pass, alarms } = await openScheduling("2026.9.6", {
      logger: { debug: line, info: line, warn: line, error: line },
    });
    add("a", { name: `${"secret ".repeat(100)}` });
    await pass(DUE_MS);
    run("a", { claims: { error: "secret words ".repeat(1_000), status: "error" } });
    await pass(GRACE_MS + LATEST_MS);
    const [alarm] = alarms as Extract<Alarm, { part: "job" }>[];
    expect(alarm?.name).toHaveLength(500);
    expect(alarm?.claimed?.reason).toHaveLength(500);
    expect(lines.join("\n")).toContain("a cron job is silent");
    expect(lines.join("\n")).not.toContain("secret");
  });
});
