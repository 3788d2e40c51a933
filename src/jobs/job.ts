import { createHash } from "node:crypto";
import { fields, isTime, readId, readWords } from "../protocol/fields.ts";

/** A cron job, as `cron.list` and `cron` events describe it. */
export interface CronJob {
  readonly id: string;
  /** The job's name, at most 500 characters. */
  readonly name: string | undefined;
  readonly isEnabled: boolean;
  /** Whether it makes an agent speak at a known time. */
  readonly speaks: boolean;
  /** Where its words belong, as the Gateway writes it. */
  readonly sessionKey: string;
  /** The session keys under which it may be heard, in lower case. */
  readonly places: readonly string[];
  /** A reminder for the main session, where it waits for its turn. The job is over before the agent speaks. */
  readonly isReminder: boolean;
  /** It is deleted after it has run. */
  readonly runsOnce: boolean;
  /** It names a channel for its words. */
  readonly hasChannel: boolean;
  /** Changes with an edit that may change when it is due. */
  readonly schedule: string;
  /** When it is due next, in ms since the epoch by the Gateway's clock. */
  readonly nextRunAt: number | undefined;
  readonly runningAt: number | undefined;
  readonly lastRunAt: number | undefined;
}

/** What a Gateway says about a run of a job. */
export interface Claim {
  /** `ok`, `error`, `skipped`. */
  readonly status: string;
  readonly ranMs?: number;
  /** What happened to words for a channel: `delivered`, `not-delivered`, `not-requested`, `unknown`. */
  readonly delivery?: string;
  readonly reason?: string;
  /** Whether there is a summary: the beginning of the text, or a token of silence. */
  readonly hasSummary: boolean;
}

/** The Gateway's names of main sessions, from its `hello-ok`. */
export interface MainSessions {
  readonly agentId: string;
  readonly mainKey: string;
}

const MAX_NAME_CHARS = 500;
/** How many characters of the Gateway's words are kept. */
const MAX_CLAIM_CHARS = 500;
const MAX_STATUS_CHARS = 40;

/** Reads the names of main sessions, loosely. */
export function readMainSessions(hello: unknown): MainSessions {
  const defaults = fields(fields(fields(hello)["snapshot"])["sessionDefaults"]);
  return { agentId: readId(defaults["defaultAgentId"]) ?? "main", mainKey: readId(defaults["mainKey"]) ?? "main" };
}

/** Reads a job, loosely. Undefined when it has no id. */
export function readJob(raw: unknown, main: MainSessions): CronJob | undefined {
  const job = fields(raw);
  const id = readId(job["id"]);
  if (id === undefined) return undefined;
  const { kind } = fields(job["payload"]);
  const { mode, channel } = fields(job["delivery"]);
  const state = fields(job["state"]);
  const isMain = job["sessionTarget"] === "main";
  const keys = keysOf(id, job, main);
  // Heartbeats are mostly silent. A job that waits for a heartbeat is due when that runs.
  const waits = isMain && job["wakeMode"] !== "now";
  return {
    id,
    name: readWords(job["name"], MAX_NAME_CHARS),
    isEnabled: job["enabled"] !== false,
    speaks: (kind === "agentTurn" || kind === "systemEvent") && !waits,
    sessionKey: keys[0] ?? "",
    places: keys.map(placeOf),
    isReminder: isMain,
    runsOnce: job["deleteAfterRun"] === true,
    hasChannel: mode === "announce" && typeof channel === "string" && channel !== "" && channel !== "last",
    schedule: digest(job["schedule"]),
    nextRunAt: timeOf(state["nextRunAtMs"] ?? job["nextRunAtMs"]),
    runningAt: timeOf(state["runningAtMs"]),
    lastRunAt: timeOf(state["lastRunAtMs"]),
  };
}

/** Reads a `finished` event, or an entry of `cron.runs`. */
export function readClaim(raw: Readonly<Record<string, unknown>>): Claim {
  const { status, durationMs, deliveryStatus, error, deliveryError, summary } = raw;
  const words = readWords(error, MAX_CLAIM_CHARS) ?? readWords(deliveryError, MAX_CLAIM_CHARS);
  const delivery = readWords(deliveryStatus, MAX_STATUS_CHARS);
  return {
    status: readWords(status, MAX_STATUS_CHARS) ?? "unknown",
    ...(typeof durationMs === "number" && Number.isFinite(durationMs) && { ranMs: durationMs }),
    ...(delivery !== undefined && { delivery }),
    ...(words !== undefined && { reason: words }),
    hasSummary: typeof summary === "string" && summary.trim() !== "",
  };
}

/** A session key in the form of a job's places. */
export function placeOf(sessionKey: string): string {
  return sessionKey.toLowerCase().replace(/:heartbeat$/, "");
}

function keysOf(id: string, job: Readonly<Record<string, unknown>>, main: MainSessions): readonly string[] {
  const agent = readId(job["agentId"]) ?? main.agentId;
  const target = readId(job["sessionTarget"]) ?? "";
  const own = `agent:${agent}:cron:${id}`;
  const bound = readId(job["sessionKey"]);
  const mains = [`agent:${agent}:${main.mainKey}`, "global"];
  const keys = [...(bound === undefined ? [] : [bound]), ...(target === "main" ? mains : [])];
  if (target.startsWith("session:")) {
    const key = target.slice("session:".length);
    keys.unshift(key.startsWith("agent:") ? key : `agent:${agent}:${key}`);
  }
  return [...keys, own];
}

function timeOf(value: unknown): number | undefined {
  return isTime(value) ? value : undefined;
}

function digest(value: unknown): string {
  const text = JSON.stringify(value) ?? "";
  return createHash("sha1").update(text).digest("base64url").slice(0, 12);
}
