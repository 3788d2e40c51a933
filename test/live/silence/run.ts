// Silence that should have been speech, on a real Gateway: twenty cron jobs, five of them sabotaged, each in another way.
//
//   npm run test:silence [-- --openclaw newest]     about eight minutes
//
// Exit code 0: five alarms, each within a minute of the grace, and none for the fifteen others. 1: anything else.
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type Alarm, createInbox } from "../../../src/index.ts";
import { askAgent, newSession, said, unique } from "../acts.ts";
import { installGateway } from "../install.ts";
import type { Operator } from "../operator.ts";
import { chosenReleases } from "../releases.ts";
import { isBusy } from "../soak/sweep.ts";
import { type OpenStage, openStage } from "../stage.ts";
import { type PlannedJob, planJobs } from "./jobs.ts";

type JobAlarm = Extract<Alarm, { part: "job" }>;

const { values } = parseArgs({ options: { openclaw: { type: "string", default: "newest" } } });

// Shorter than the two minutes after which a Gateway makes up for what it missed while it was stopped.
const GRACE_MS = 90_000;
/** How much later than the grace an alarm may come. */
const LATEST_MS = 60_000;
const HOURS_BACK = 2;
const CLOCK = fileURLToPath(new URL("./clock.cjs", import.meta.url));

process.once("SIGINT", () => process.exit(130));
const [version = ""] = chosenReleases(values.openclaw);
const stage = await openStage(await installGateway(version, print), { nodeArgs: ["--require", CLOCK] });
try {
  process.exitCode = (await play(stage)) ? 0 : 1;
} finally {
  await stage.close(process.exitCode === 1);
}

async function play({ gateway, operator, ...rest }: OpenStage): Promise<boolean> {
  const [archived, opened] = [newSession(), newSession()];
  for (const sessionKey of [archived, opened]) {
    const text = unique("The opening turn.");
    await askAgent(operator, sessionKey, `SAY:${text}`);
    await said(operator, text);
  }
  await delay(2_000);
  await archive(operator, archived);
  const heard: { readonly alarm: JobAlarm; readonly at: number }[] = [];
  const inbox = createInbox({
    gateway: { url: `ws://127.0.0.1:${gateway.port}`, token: gateway.token },
    jobGraceMs: GRACE_MS,
  });
  inbox.alarms$.subscribe((alarm) => {
    if (alarm.part !== "job") return;
    heard.push({ alarm, at: Date.now() });
    print(`${since()}  ${alarm.name}: ${alarm.error?.message ?? "heard again"}`);
  });
  await inbox.start();
  const startedAt = Date.now();
  const since = (): string => `${String(Math.round((Date.now() - startedAt) / 1_000)).padStart(4)} s`;
  const plan = planJobs(archived, opened);
  const due = new Map<string, number>();
  const add = async (when: PlannedJob["at"]): Promise<void> => {
    for (const { name, at, dueS, job, after } of plan) {
      if (at !== when) continue;
      const dueAt = Date.now() + dueS * 1_000;
      due.set(name, dueAt);
      const schedule = { kind: "at", at: new Date(dueAt).toISOString() };
      const made = { name, enabled: true, deleteAfterRun: false, wakeMode: "now", schedule, ...job };
      const { id } = await operator.request<{ id: string }>("cron.add", made);
      await after?.({ gateway, operator, ...rest, defer: () => {} }, id);
    }
  };
  /** Resolves when the alarm for the jobs that were added must have come. */
  const graceIsOver = async (when: PlannedJob["at"]): Promise<void> => {
    const last = Math.max(
      ...plan.flatMap(({ name, at, sabotage }) => (at === when && sabotage !== undefined ? (due.get(name) ?? 0) : 0)),
    );
    await delay(Math.max(0, last + GRACE_MS + LATEST_MS - Date.now()));
  };
  await add(undefined);
  print(`${since()}  ${due.size} jobs, a grace of ${GRACE_MS / 1_000} s`);
  await graceIsOver(undefined);
  while (await isBusy(operator)) await delay(1_000);
  await add("stop");
  print(`${since()}  the Gateway is stopped`);
  await gateway.kill("SIGTERM");
  await delay(25_000);
  await gateway.start();
  print(`${since()}  the Gateway is back`);
  // Until then nobody could know.
  for (const { name, at } of plan) if (at === "stop") due.set(name, Math.max(due.get(name) ?? 0, Date.now()));
  await add("return");
  await graceIsOver("stop");
  await add("clock");
  await writeFile(path.join(gateway.folder, "clock"), String(-HOURS_BACK * 3_600_000));
  print(`${since()}  the Gateway's clock is set back by ${HOURS_BACK} hours`);
  await graceIsOver("clock");
  const stats = inbox.stats();
  await inbox.stop();
  print(`alarms ${stats.jobAlarms}, messages ${stats.dispatched}`);
  return plan.map((job) => check(job, due.get(job.name) ?? 0, heard)).every(Boolean);
}

/** Whether of a job came what must come, said in a line. */
function check(
  { name, sabotage }: PlannedJob,
  dueAt: number,
  heard: readonly { readonly alarm: JobAlarm; readonly at: number }[],
): boolean {
  const alarms = heard.filter(({ alarm }) => alarm.name === name && alarm.error !== undefined);
  const [first] = alarms;
  const lateMs = first === undefined ? 0 : first.at - (dueAt + GRACE_MS);
  const isRight =
    sabotage === undefined ? alarms.length === 0 : alarms.length === 1 && lateMs >= 0 && lateMs <= LATEST_MS;
  const claimed = first?.alarm.claimed === undefined ? "" : `; claimed: ${JSON.stringify(first.alarm.claimed)}`;
  const came =
    first === undefined
      ? "no alarm"
      : `${alarms.length} alarm, ${(lateMs / 1_000).toFixed(1)} s after the grace${claimed}`;
  print(`${isRight ? "ok  " : "FAIL"} ${name}${sabotage === undefined ? "" : ` (${sabotage})`}: ${came}`);
  return isRight;
}

/** From then on the Gateway refuses to run anything in the session. */
async function archive(operator: Operator, key: string): Promise<void> {
  const { sessions } = await operator.request<{ sessions: { key: string; sessionId: string }[] }>("sessions.list", {
    limit: 200,
  });
  const session = sessions.find((candidate) => candidate.key === key);
  await operator.request("sessions.patch", { key, archived: true, expectedSessionId: session?.sessionId });
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
