import type { ProactiveMessage } from "../../../src/index.ts";
import type { Operator } from "../operator.ts";
import { readReplies } from "../transcript.ts";
import type { Script } from "./speakers.ts";

/** What is wrong with what an inbox handed over. Each list names texts by their beginnings. */
export interface Verdict {
  readonly messages: number;
  /** Asked for, in a transcript, and not handed over. */
  readonly lost: readonly string[];
  /** Handed over more often than it was said. */
  readonly twice: readonly string[];
  /** Neither in a transcript nor among what was to be said. */
  readonly other: readonly string[];
  /** Handed over in another session than it was said in. */
  readonly misplaced: readonly string[];
  /** The same message again, after its process was killed between its handler and the record: the promise allows it. */
  readonly repeated: number;
}

/** What the agents have said, according to the Gateway's transcripts: how often, by session and text. */
export type Truth = ReadonlyMap<string, ReadonlyMap<string, number>>;

/** Reads every transcript of the Gateway. */
export async function readTruth(operator: Operator, version: string, { boundJobs }: Script): Promise<Truth> {
  const truth = new Map<string, Map<string, number>>();
  for (const key of await sessionKeys(operator)) {
    // Their words are in the conversation, or belong there.
    const job = /^agent:[^:]+:cron:([^:]+)/.exec(key)?.[1];
    if (job !== undefined && boundJobs.has(job)) continue;
    const texts = new Map<string, number>();
    truth.set(key, texts);
    for (const { text } of await readReplies(operator, key, version)) texts.set(text, (texts.get(text) ?? 0) + 1);
  }
  return truth;
}

/** Whether anything is still going on. */
export async function isBusy(operator: Operator): Promise<boolean> {
  const { sessions } = await operator.request<{ sessions: { hasActiveRun?: boolean }[] }>("sessions.list", {
    limit: 200,
  });
  return sessions.some(({ hasActiveRun }) => hasActiveRun === true);
}

export function judge(messages: readonly ProactiveMessage[], truth: Truth, { asked }: Script): Verdict {
  const byId = new Map(messages.map((message) => [message.id, message]));
  const got = new Map<string, Map<string, number>>();
  for (const { sessionKey, text } of byId.values()) {
    const key = sessionKey.replace(/^(agent:[^:]+:cron:[^:]+):run:.*$/, "$1");
    const texts = got.get(key) ?? new Map<string, number>();
    got.set(key, texts.set(text.trimEnd(), (texts.get(text.trimEnd()) ?? 0) + 1));
  }
  // Runs of different names: a Gateway that was killed said it again, and wrote down one of them.
  const runsOf = (text: string) =>
    [...byId.values()].flatMap((message) => (message.text.trimEnd() === text ? message.runId : [])).join(", ");
  const said = new Set([...truth.values()].flatMap((texts) => [...texts.keys()]));
  const [lost, twice, other, misplaced]: string[][] = [[], [], [], []];
  for (const [key, texts] of truth)
    for (const [text, count] of texts) {
      // What was said before the inboxes listened is not theirs.
      if (asked.has(text) && (got.get(key)?.get(text) ?? 0) < count) lost?.push(`${key}: ${brief(text)}`);
    }
  for (const [key, texts] of got) {
    for (const [text, count] of texts) {
      const here = truth.get(key)?.get(text) ?? 0;
      // A Gateway that is killed may have said what it never wrote down.
      const known = asked.has(text);
      if (here === 0 && said.has(text)) misplaced?.push(`${key}: ${brief(text)}`);
      else if (here === 0 && !known) other?.push(`${key}: ${brief(text)}`);
      else if (count > Math.max(here, 1))
        twice?.push(`${key}: ${brief(text)} (${count} for ${here}; runs ${runsOf(text)})`);
    }
  }
  const none: string[] = [];
  return {
    messages: byId.size,
    lost: lost ?? none,
    twice: twice ?? none,
    other: other ?? none,
    misplaced: misplaced ?? none,
    repeated: messages.length - byId.size,
  };
}

async function sessionKeys(operator: Operator): Promise<readonly string[]> {
  const keys: string[] = [];
  for (let offset: number | undefined = 0; offset !== undefined; ) {
    const page: { sessions: { key: string }[]; hasMore?: boolean; nextOffset?: number } = await operator.request(
      "sessions.list",
      {
        limit: 200,
        includeGlobal: true,
        includeUnknown: true,
        ...(offset > 0 && { offset }),
      },
    );
    keys.push(...page.sessions.map(({ key }) => key));
    offset = page.hasMore === true ? page.nextOffset : undefined;
  }
  return [...new Set(keys)].filter((key) => !key.includes(":subagent:") && !/:cron:[^:]+:run:/.test(key));
}

function brief(text: string): string {
  return text.length > 90
    ? `${JSON.stringify(text.slice(0, 60))}... ${JSON.stringify(text.slice(-20))} (${text.length})`
    : JSON.stringify(text);
}
