import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { MAIN_SESSION, newSession, unique } from "../acts.ts";
import type { Operator } from "../operator.ts";
import type { Stage } from "../scenario.ts";
import type { Dice } from "./random.ts";

/** What the agents were told to say. */
export interface Script {
  /** Each text, and the session that it belongs to; undefined: one of its own. */
  readonly asked: ReadonlyMap<string, string | undefined>;
  /** Jobs that are bound to a conversation: their words are not handed over under the key of the job. */
  readonly boundJobs: ReadonlySet<string>;
}

interface Speaking {
  readonly operator: Operator;
  readonly dice: Dice;
  readonly sessions: readonly string[];
  readonly asked: Map<string, string | undefined>;
  readonly boundJobs: Set<string>;
}

/** How often each way is taken, of all. */
const WEIGHTS: readonly (readonly [keyof typeof ways, number])[] = [
  ["agent", 5],
  ["slow", 4],
  ["send", 4],
  ["inject", 3],
  ["tool", 2],
  ["long", 1],
  ["isolated", 4],
  ["named", 3],
  ["current", 3],
  ["main", 1],
  ["wake", 1],
];

const ways = {
  agent: (world: Speaking) => ask(world, one(world, "Asked for by somebody.")),
  slow: (world: Speaking) =>
    ask(world, one(world, `Slowly ${"and slowly ".repeat(world.dice.integer(5, 60))}.`), " DELAY=150"),
  long: (world: Speaking) => ask(world, one(world, `Long ${"and longer ".repeat(1_200)}.`), " DELAY=1"),
  async send(world: Speaking) {
    const { text, sessionKey } = one(world, "An answer to another client.");
    await world.operator.request("chat.send", {
      sessionKey,
      message: `SAY:${text};;`,
      idempotencyKey: `send-${randomUUID()}`,
    });
  },
  async inject(world: Speaking) {
    const { text, sessionKey } = one(world, "A note.");
    await world.operator.request("chat.inject", { sessionKey, message: text });
  },
  async tool(world: Speaking) {
    const { dice, operator, asked } = world;
    const sessionKey = dice.pick(world.sessions);
    const [before, after] = [unique("Let me look first."), unique("Nothing unusual there.")];
    asked.set(`${before}\n\n${after}`, sessionKey);
    const message = `TOOL:${before}||session_status||{}||${after}`;
    await operator.request("agent", { message, sessionKey, idempotencyKey: `run-${randomUUID()}` });
  },
  async isolated(world: Speaking) {
    const text = unique("The nightly report.");
    world.asked.set(text, undefined);
    await runJob(world, { sessionTarget: "isolated", payload: turn(text), delivery: { mode: "none" } });
  },
  async named(world: Speaking) {
    const { text, sessionKey } = one(world, "Cron into a named session.");
    await runJob(world, { sessionTarget: `session:${sessionKey}`, payload: turn(text), delivery: { mode: "none" } });
  },
  async current(world: Speaking) {
    const { text, sessionKey } = one(world, "The reminder you asked for.");
    const id = await runJob(world, { sessionTarget: "current", sessionKey, payload: turn(text) });
    world.boundJobs.add(id);
  },
  async main(world: Speaking) {
    const text = unique("Time to stretch.");
    world.asked.set(text, MAIN_SESSION);
    await runJob(world, { sessionTarget: "main", payload: { kind: "systemEvent", text: `SAY:${text};;` } });
  },
  async wake(world: Speaking) {
    const { text, sessionKey } = one(world, "Woken up.");
    await world.operator.request("wake", { mode: "now", text: `SAY:${text};;`, sessionKey });
  },
} satisfies Record<string, (world: Speaking) => Promise<unknown>>;

const SESSIONS = 8;
const SPEAKERS = 3;

/** Has agents speak in every way until `signal` is aborted. Sessions are opened first: what is bound needs one that was used. */
export async function startSpeakers({ operator }: Pick<Stage, "operator">, dice: Dice, signal: AbortSignal) {
  const sessions = Array.from({ length: SESSIONS }, (_, n) => newSession(n === SESSIONS - 1 ? "second" : "main"));
  const world: Speaking = { operator, dice, sessions, asked: new Map(), boundJobs: new Set() };
  for (const sessionKey of sessions) {
    const text = unique("The opening turn.");
    world.asked.set(text, sessionKey);
    await operator.request("agent", { message: `SAY:${text}`, sessionKey, idempotencyKey: `run-${randomUUID()}` });
    await operator.heard.when(
      `"${text}"`,
      ({ payload }) => JSON.stringify(payload).includes(text) && payload.state === "final",
    );
  }
  const names = WEIGHTS.flatMap(([name, weight]) => Array<keyof typeof ways>(weight).fill(name));
  const counts = new Map<string, number>();
  const speaker = async (): Promise<void> => {
    while (!signal.aborted) {
      const name = dice.pick(names);
      counts.set(name, (counts.get(name) ?? 0) + 1);
      // A Gateway that is down, or refuses, has not been asked.
      await ways[name](world).catch(() => undefined);
      await delay(dice.integer(200, 3_000));
    }
  };
  const over = Promise.all(Array.from({ length: SPEAKERS }, speaker));
  return { script: world as Script, counts, over };
}

/** A text that is said in one of the sessions. */
function one(
  { dice, sessions, asked }: Speaking,
  sentence: string,
): { readonly text: string; readonly sessionKey: string } {
  const sessionKey = dice.pick(sessions);
  const text = unique(sentence);
  asked.set(text, sessionKey);
  return { text, sessionKey };
}

async function ask(
  { operator }: Speaking,
  { text, sessionKey }: { readonly text: string; readonly sessionKey: string },
  how = "",
) {
  await operator.request("agent", {
    message: `SAY:${text};;${how}`,
    sessionKey,
    idempotencyKey: `run-${randomUUID()}`,
  });
}

function turn(text: string): object {
  return { kind: "agentTurn", message: `SAY:${text};;` };
}

/** Makes a job that is due in an hour, and runs it now. It is kept: with it the Gateway's transcript would go. */
async function runJob({ operator }: Speaking, job: object): Promise<string> {
  const at = new Date(Date.now() + 3_600_000).toISOString();
  const name = `job-${randomUUID().slice(0, 8)}`;
  const made = { name, enabled: true, deleteAfterRun: false, wakeMode: "now", schedule: { kind: "at", at }, ...job };
  const { id } = await operator.request<{ id: string }>("cron.add", made);
  await operator.request("cron.run", { id, mode: "force" });
  return id;
}
