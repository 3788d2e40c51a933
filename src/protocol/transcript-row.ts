import type { Origin } from "../types.ts";
import { fields, readId, rowCarriesTooLongAnId } from "./fields.ts";
import { spokenText } from "./spoken-text.ts";
import { hasMedia, isCut, messageText } from "./text.ts";

/**
 * What a row of a session's transcript is to a listener:
 *
 * - `"prompt"`: something that was said to the agent, by a client or by a cron job; never a message.
 * - `"step"`: a part of a run that goes on after it (around a tool call).
 * - `"reply"`: the end of a run that went well, or all of it.
 * - `"failed"`, `"aborted"`: the end of a run that did not; the text is not a message.
 * - `"injected"`: put there by `chat.inject`; a run of its own.
 * - `"automation"`: the result of a cron job that is bound to this session; a run of its own.
 */
export type SessionRowKind = "prompt" | "step" | "reply" | "failed" | "aborted" | "injected" | "automation";

/** One row of a session's transcript, as `session.message` events and `chat.history` tell it. */
export interface SessionRow {
  readonly kind: SessionRowKind;
  /** The run that it belongs to; of a prompt, the run that answers it. Cron prompts do not say, nor any row before 2026.8. */
  readonly runId?: string;
  /** The text blocks of the row, as `chat` events have them: see {@link spokenText}. */
  readonly text: string;
  /** It has something that is no text, such as an image. */
  readonly hasMedia?: boolean;
  /** The text was cut by the Gateway, for display. */
  readonly truncated: boolean;
  /** The Gateway's id of the row. One row of a run with a tool call may be told as two with the same id. */
  readonly id?: string;
  /** The row's place in the session. */
  readonly seq?: number;
  /** When it was written, in ms since the epoch by the Gateway's clock. */
  readonly at?: number;
  /** Who spoke to the agent, on a prompt; where the run comes from, on an automation or injected row. */
  readonly origin?: Origin;
}

type Fields = Readonly<Record<string, unknown>>;

/**
 * Reads one row, loosely. Undefined for a row that tells a listener nothing: a tool's result, or
 * something that cannot be read. Never throws on anything that JSON can hold.
 */
export function readSessionRow(message: unknown): SessionRow | undefined {
  const raw = fields(message);
  const { role } = raw;
  if ((role !== "user" && role !== "assistant") || rowCarriesTooLongAnId(raw)) return undefined;
  const mark = fields(raw["__openclaw"]);
  const { id, seq } = mark;
  const known = role === "user" ? userPrompt(raw) : assistantRow(raw, mark);
  if (known === undefined) return undefined;
  const at = [mark["recordTimestampMs"], raw["timestamp"]].find((time) => Number.isFinite(time)) as number | undefined;
  const text = spokenText(messageText(raw) ?? "");
  return {
    ...known,
    text,
    ...(known.kind !== "prompt" && (hasMedia(raw["content"]) || isMediaAlone(raw, text)) && { hasMedia: true }),
    truncated: isCut(text, mark),
    ...(isId(id) && { id }),
    ...(typeof seq === "number" && { seq }),
    ...(at !== undefined && { at }),
  };
}

/** Whether nothing is left of the text but what its `MEDIA:` lines name. */
function isMediaAlone(raw: Fields, text: string): boolean {
  return text === "" && /^\s*MEDIA:/im.test(messageText(raw) ?? "");
}

type Known = Pick<SessionRow, "kind" | "runId" | "origin">;

function userPrompt(raw: Fields): Known {
  // A notice of the Gateway's own, e.g. that it was restarted: nobody asked for what follows.
  if (fields(raw["provenance"])["sourceTool"] !== undefined) return { kind: "prompt" };
  const runId = withoutSuffix(raw["idempotencyKey"], ":user");
  if (runId !== undefined) return { kind: "prompt", origin: "requested", runId };
  // Before 2026.9.5 the prompt of a cron job is a plain row. What names no run proves nothing else.
  return CRON_PROMPT.test(messageText(raw) ?? "") ? { kind: "prompt", origin: "cron" } : { kind: "prompt" };
}

/** `[cron:<job> <name>] <prompt>`, with the time before it where a Gateway puts one. */
const CRON_PROMPT = /^\s*(?:\[[^\]\n]{0,80}\]\s*)?\[cron:[^\]\n]+\]/;

function assistantRow(raw: Fields, mark: Fields): Known | undefined {
  const { stopReason, model, idempotencyKey } = raw;
  const { sourceTool } = fields(raw["provenance"]);
  // The prompt of a cron job is kept as if the agent had said it, with a run id that is not the run's.
  if (sourceTool === "cron") return { kind: "prompt", origin: "cron" };
  if (sourceTool !== undefined || withoutSuffix(idempotencyKey, ":user") !== undefined) return { kind: "prompt" };

  const automation = fields(raw["openclawAutomation"])["runId"];
  if (isId(automation)) return { kind: "automation", runId: automation, origin: "cron" };

  const abort = fields(raw["openclawAbort"]);
  const failed = withoutSuffix(idempotencyKey, ":terminal-error");
  const runId = [mark["runId"], abort["runId"], failed].find(isId);
  const known = runId === undefined ? {} : { runId };
  if (abort["aborted"] === true || stopReason === "aborted") return { kind: "aborted", ...known };
  if (stopReason === "error" || failed !== undefined) return { kind: "failed", ...known };
  if (runId === undefined && model === "gateway-injected") return injectedRow(raw, mark);
  // A note of the Gateway's own, and no agent's.
  if (runId === undefined && raw["provider"] === "openclaw") return undefined;
  return { kind: isStep(raw) ? "step" : "reply", ...known };
}

/** What `chat.inject` wrote is a run of its own. The answer to a slash command is of the run that asked. */
function injectedRow({ idempotencyKey }: Fields, { id }: Fields): Known | undefined {
  if (isId(idempotencyKey)) return { kind: "reply", runId: idempotencyKey, origin: "requested" };
  return isId(id) ? { kind: "injected", runId: `inject-${id}`, origin: "injected" } : undefined;
}

function isStep({ stopReason, content, openclawStreamFallback }: Fields): boolean {
  if (stopReason === "toolUse") return true;
  if (stopReason === undefined && openclawStreamFallback !== undefined) return true;
  return Array.isArray(content) && content.some((block) => fields(block)["type"] === "toolCall");
}

function withoutSuffix(value: unknown, suffix: string): string | undefined {
  return isId(value) && value.endsWith(suffix) && value.length > suffix.length
    ? value.slice(0, -suffix.length)
    : undefined;
}

function isId(value: unknown): value is string {
  return readId(value) !== undefined;
}
