import type { ProactiveMessage } from "../../../src/index.ts";
import type { Operator } from "../operator.ts";
import { readReplies } from "../transcript.ts";
import type { Script } from "./speakers.ts";

/** A text that was not handed over as it should be. */
export interface Finding {
  /** Its session, its beginning and its end. */
  readonly words: string;
  readonly sessionKey: string;
  /** The runs that said it, as far as they are known. */
  readonly runIds: readonly string[];
}

/** What is wrong with what an inbox handed over. */
export interface Verdict {
  readonly messages: number;
  /** Asked for, in a transcript, and not handed over. */
  readonly lost: readonly Finding[];
  /** Handed over more often than it was said. */
  readonly twice: readonly Finding[];
  /** Neither in a transcript nor among what was to be said. */
  readonly other: readonly Finding[];
  /** Handed over in another session than it was said in. */
  readonly misplaced: readonly Finding[];
  /** The same message again, after its process was killed between its handler and the record: the promise allows it. */
  readonly repeated: number;
}

/** What the agents have said, according to the Gateway's transcripts: in which runs, by session and text. */
export type Truth = ReadonlyMap<string, ReadonlyMap<string, readonly (string | undefined)[]>>;

/** Reads every transcript of the Gateway. */
export async function readTruth(operator: Operator, version: string, { boundJobs }: Script): Promise<Truth> {
  const truth = new Map<string, Map<string, readonly (string | undefined)[]>>();
  for (const key of await sessionKeys(operator)) {
    // Their words are in the conversation, or belong there.
    const job = /^agent:[^:]+:cron:([^:]+)/.exec(key)?.[1];
    if (job !== undefined && boundJobs.has(job)) continue;
    const texts = new Map<string, readonly (string | undefined)[]>();
    truth.set(key, texts);
    for (const { text, runId } of await readReplies(operator, key, version))
      texts.set(text, [...(texts.get(text) ?? []), runId]);
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
  const got = new Map<string, Map<string, readonly string[]>>();
  for (const { sessionKey, text, runId } of byId.values()) {
    const key = sessionKey.replace(/^(agent:[^:]+:cron:[^:]+):run:.*$/, "$1");
    const texts = got.get(key) ?? new Map<string, readonly string[]>();
    got.set(key, texts.set(text.trimEnd(), [...(texts.get(text.trimEnd()) ?? []), runId]));
  }
  const said = new Set([...truth.values()].flatMap((texts) => [...texts.keys()]));
  const found = (key: string, text: string, runIds: readonly (string | undefined)[], more = ""): Finding => {
    const known = runIds.flatMap((runId) => runId ?? []);
    return { words: `${key}: ${brief(text)}${more}`, sessionKey: key, runIds: known };
  };
  const [lost, twice, other, misplaced]: [Finding[], Finding[], Finding[], Finding[]] = [[], [], [], []];
  for (const [key, texts] of truth)
    for (const [text, runIds] of texts) {
      // What was said before the inboxes listened is not theirs.
      const count = got.get(key)?.get(text)?.length ?? 0;
      if (asked.has(text) && count < runIds.length) lost.push(found(key, text, runIds));
    }
  for (const [key, texts] of got) {
    for (const [text, runIds] of texts) {
      const here = truth.get(key)?.get(text)?.length ?? 0;
      // A Gateway that is killed may have said what it never wrote down.
      const known = asked.has(text);
      if (here === 0 && said.has(text)) misplaced.push(found(key, text, runIds));
      else if (here === 0 && !known) other.push(found(key, text, runIds));
      // Runs of different names: a Gateway that was killed said it again, and wrote down one of them.
      else if (runIds.length > Math.max(here, 1))
        twice.push(found(key, text, runIds, ` (${runIds.length} for ${here}; runs ${runIds.join(", ")})`));
    }
  }
  return { messages: byId.size, lost, twice, other, misplaced, repeated: messages.length - byId.size };
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
