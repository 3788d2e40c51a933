import { newSession, unique } from "../acts.ts";
import type { Stage } from "../scenario.ts";

/** A cron job of the program, and what must come of it. */
export interface PlannedJob {
  readonly name: string;
  /** When it is added: at the beginning, or before the Gateway is stopped, has come back, or has its clock set. */
  readonly at?: "stop" | "return" | "clock";
  /** When it is due, in seconds from then. */
  readonly dueS: number;
  /** How it is sabotaged; absent: there must be no alarm. */
  readonly sabotage?: string;
  /** What `cron.add` is given. */
  readonly job: object;
  /** After it was added. */
  after?(stage: Stage, id: string): Promise<unknown>;
}

/** Twenty jobs, five of them sabotaged, each in its way. Sessions are opened by the caller. */
export function planJobs(archived: string, opened: string): readonly PlannedJob[] {
  const isolated = (prompt: string, extra: object = {}): object => ({
    sessionTarget: "isolated",
    payload: { kind: "agentTurn", message: prompt },
    delivery: { mode: "none" },
    ...extra,
  });
  const named = (sessionKey: string, prompt: string): object =>
    isolated(prompt, { sessionTarget: `session:${sessionKey}` });
  const main = (text: string): object => ({ sessionTarget: "main", payload: { kind: "systemEvent", text } });
  const say = (): string => `SAY:${unique("On time.")};;`;
  const until =
    (dueS: number) =>
    async ({ operator }: Stage, id: string) => {
      const timer = setTimeout(
        () => void operator.request("cron.update", { id, patch: { enabled: false } }),
        dueS * 1_000,
      );
      timer.unref();
    };
  return [
    { name: "isolated", dueS: 40, job: isolated(say()) },
    { name: "isolated, deleted after its run", dueS: 44, job: isolated(say(), { deleteAfterRun: true }) },
    { name: "named session", dueS: 48, job: named(newSession(), say()) },
    {
      name: "named session of another agent",
      dueS: 52,
      job: { ...named(newSession("second"), say()), agentId: "second" },
    },
    {
      name: "bound to a conversation",
      dueS: 56,
      job: { sessionTarget: "current", sessionKey: opened, payload: { kind: "agentTurn", message: say() } },
    },
    // Before the others: a Gateway holds reminders back while its agent is busy, for as long as that takes.
    { name: "main session", dueS: 10, job: main(say()) },
    { name: "main session, silent", dueS: 25, job: main("SILENT") },
    { name: "says NO_REPLY", dueS: 64, job: isolated("SILENT") },
    {
      name: "its model fails",
      dueS: 68,
      job: isolated("FAIL401", { payload: { kind: "agentTurn", message: "FAIL401", model: "failing/stub-1" } }),
    },
    { name: "speaks for half a minute", dueS: 72, job: isolated(`SAY:${unique("slowly ".repeat(30))};; DELAY=1000`) },
    {
      name: "every 20 seconds, then disabled",
      dueS: 50,
      job: isolated(say(), { schedule: { kind: "every", everyMs: 20_000 } }),
      after: until(110),
    },
    { name: "disabled", dueS: 76, job: isolated(say(), { enabled: false }) },
    {
      name: "deleted before it is due",
      dueS: 78,
      job: isolated(say()),
      after: ({ operator }, id) => operator.request("cron.remove", { id }),
    },
    { name: "put off", dueS: 3_600, job: isolated(say()) },
    { name: "after the Gateway's return", at: "return", dueS: 20, job: isolated(say()) },

    { name: "silent model", dueS: 42, sabotage: "its model answers nothing", job: isolated("SAY:;;") },
    { name: "refused", dueS: 46, sabotage: "its session is archived", job: named(archived, say()) },
    {
      name: "no such channel",
      dueS: 54,
      sabotage: "announces to a channel that is not there",
      job: isolated(say(), { delivery: { mode: "announce", channel: "telegram", to: "123" } }),
    },
    {
      name: "Gateway stopped",
      at: "stop",
      dueS: 20,
      sabotage: "the Gateway is stopped when it is due",
      job: isolated(say()),
    },
    {
      name: "clock set back",
      at: "clock",
      dueS: 60,
      sabotage: "the scheduler's clock is set back by two hours",
      job: isolated(say()),
    },
  ];
}
