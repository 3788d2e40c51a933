import type { Job, Origin } from "../types.ts";
import { contentAttachments, namedAttachments, type ToldAttachment } from "./attachments.ts";
import { fields, readId, readWords, rowCarriesTooLongAnId } from "./fields.ts";
import { mediaReferences, spokenText } from "./spoken-text.ts";
import { isCut, messageText } from "./text.ts";

/**
 * What a row of a session's transcript means to a listener:
 *
 * - `"prompt"`: something that a client or a cron job said to the agent; never a message.
 * - `"step"`: a part of a run that continues after it (around a tool call).
 * - `"reply"`: the end of a run that succeeded, or the whole run.
 * - `"failed"`, `"aborted"`: the end of a run that did not succeed; the text is not a message.
 * - `"injected"`: written by `chat.inject`; it is a separate run.
 * - `"automation"`: the result of a cron job that is bound to this session; it is a separate run.
 */
export type SessionRowKind = "prompt" | "step" | "reply" | "failed" | "aborted" | "injected" | "automation";

/** One row of a session's transcript, from `session.message` events and `chat.history`. */
export interface SessionRow {
  readonly kind: SessionRowKind;
  /**
   * The run that the row belongs to. On a prompt, it is the run that answers. Absent on cron prompts, and on all rows
   * before 2026.8.
   */
  readonly runId?: string;
  /** The text blocks of the row, as `chat` events have them: see {@link spokenText}. */
  readonly text: string;
  /** What the row has besides text: its other blocks, or the files in its `MEDIA:` lines. */
  readonly attachments?: readonly ToldAttachment[];
  /** The Gateway has cut the text for display. */
  readonly truncated: boolean;
  /** The Gateway's id of the row. A row of a run with a tool call may come as two rows with one id. */
  readonly id?: string;
  /** The row's place in the session. */
  readonly seq?: number;
  /** When it was written, in ms since the epoch by the Gateway's clock. */
  readonly at?: number;
  /** On a prompt: who spoke to the agent. On an automation or injected row: where the run comes from. */
  readonly origin?: Origin;
  /** The cron job that a prompt names. */
  readonly job?: Job;
  /** A program on the Gateway's machine said it, or the Gateway repeats with it what a model said (2026.5.28). */
  readonly isCli?: true;
  /** It repeats the row before it, with the files instead of the lines that name them. */
  readonly isFileCopy?: true;
}

type Fields = Readonly<Record<string, unknown>>;

/** How the rows of some releases differ. */
export interface RowDialect {
  /**
   * In an id, too, the Gateway masks what looks like a secret (2026.6.35 to 2026.7): "fc-" and ten letters or digits,
   * which one of 256 UUIDs has. A masked id names no run, because several may be masked alike.
   */
  readonly masksIds: boolean;
}

/**
 * Reads one row, loosely. Undefined for a row that means nothing to a listener: a tool's result, or a row that cannot
 * be read. Never throws on a JSON value.
 */
export function readSessionRow(
  message: unknown,
  { masksIds }: RowDialect = { masksIds: false },
): SessionRow | undefined {
  const raw = fields(message);
  const { role } = raw;
  if ((role !== "user" && role !== "assistant") || rowCarriesTooLongAnId(raw)) return undefined;
  const mark = fields(raw["__openclaw"]);
  const { id, seq } = mark;
  const namesRun = (named: unknown): named is string => isId(named) && !(masksIds && /\*\*\*|…/.test(named));
  const known = role === "user" ? userPrompt(raw, namesRun) : assistantRow(raw, mark, namesRun);
  if (known === undefined) return undefined;
  const at = [mark["recordTimestampMs"], raw["timestamp"]].find((time) => Number.isFinite(time)) as number | undefined;
  const written = messageText(raw) ?? "";
  // What `chat.inject` says is sent as it is written.
  const text = known.kind === "injected" ? written : spokenText(written);
  const attachments =
    known.kind === "prompt" ? undefined : attachmentsIn(raw, known.kind === "injected" ? "" : written);
  return {
    ...known,
    text,
    ...(attachments !== undefined && { attachments }),
    truncated: isCut(text, mark),
    ...(isId(id) && { id }),
    ...(typeof seq === "number" && { seq }),
    ...(at !== undefined && { at }),
    ...(raw["api"] === "cli" && { isCli: true as const }),
  };
}

/** When a Gateway keeps a file, it replaces the line with a block. */
function attachmentsIn(raw: Fields, written: string): readonly ToldAttachment[] | undefined {
  const blocks = contentAttachments(raw["content"]);
  const named = namedAttachments(mediaReferences(written));
  return blocks === undefined || named === undefined ? (blocks ?? named) : [...blocks, ...named];
}

type Known = Pick<SessionRow, "kind" | "runId" | "origin" | "job" | "isFileCopy">;

/** Whether an id names a run. */
type NamesRun = (id: unknown) => id is string;

function userPrompt(raw: Fields, namesRun: NamesRun): Known {
  // A notice from the Gateway, e.g. that it was restarted. Nobody asked for the run that follows.
  if (fields(raw["provenance"])["sourceTool"] !== undefined) return { kind: "prompt" };
  const asked = withoutSuffix(raw["idempotencyKey"], ":user");
  if (asked !== undefined) return { kind: "prompt", origin: "requested", ...(namesRun(asked) && { runId: asked }) };
  // A text from a channel has no run id, but says who wrote it.
  const { senderIsOwner, transport } = fields(raw["__openclaw"]);
  if (typeof senderIsOwner === "boolean" || transport !== undefined) return { kind: "prompt", origin: "requested" };
  // Before 2026.9.5 the prompt of a cron job is a plain row. When no run is named, it proves nothing else.
  const cron = CRON_PROMPT.exec(messageText(raw) ?? "");
  if (cron === null) return { kind: "prompt" };
  const id = readId(cron[1]);
  const name = readWords(cron[2]?.trim());
  return {
    kind: "prompt",
    origin: "cron",
    ...(id !== undefined && { job: { id, ...(name !== undefined && { name }) } }),
  };
}

/** `[cron:<job> <name>] <prompt>`, with the time before it on some Gateways. */
const CRON_PROMPT = /^\s*(?:\[[^\]\n]{0,80}\]\s*)?\[cron:([^\]\s]+)([^\]\n]*)\]/;

function assistantRow(raw: Fields, mark: Fields, namesRun: NamesRun): Known | undefined {
  const { stopReason, model, idempotencyKey } = raw;
  const { sourceTool } = fields(raw["provenance"]);
  // The prompt of a cron job is stored as if the agent had said it. Its run id is not the run's.
  if (sourceTool === "cron") return { kind: "prompt", origin: "cron" };
  if (sourceTool !== undefined || withoutSuffix(idempotencyKey, ":user") !== undefined) return { kind: "prompt" };

  const automation = fields(raw["openclawAutomation"])["runId"];
  if (isId(automation)) return { kind: "automation", runId: automation, origin: "cron" };

  const abort = fields(raw["openclawAbort"]);
  const failed = withoutSuffix(idempotencyKey, ":terminal-error");
  const runId = [mark["runId"], abort["runId"], failed].find(namesRun);
  const known = runId === undefined ? {} : { runId };
  if (abort["aborted"] === true || stopReason === "aborted") return { kind: "aborted", ...known };
  if (stopReason === "error" || failed !== undefined) return { kind: "failed", ...known };
  if (runId === undefined && model === "gateway-injected") return injectedRow(raw, mark, namesRun);
  // A note from the Gateway, not from an agent.
  if (runId === undefined && raw["provider"] === "openclaw") return undefined;
  return { kind: isStep(raw) ? "step" : "reply", ...known };
}

/** A row that `chat.inject` wrote is a separate run. The answer to a slash command belongs to the run that asked. */
function injectedRow({ idempotencyKey }: Fields, { id }: Fields, namesRun: NamesRun): Known | undefined {
  // Before 2026.8 a client's answer with files is written twice.
  const copied = withoutSuffix(idempotencyKey, ":assistant-media");
  const asked = copied ?? idempotencyKey;
  const answer = {
    kind: "reply",
    origin: "requested",
    ...(copied !== undefined && { isFileCopy: true as const }),
  } as const;
  if (namesRun(asked)) return { ...answer, runId: asked };
  if (!isId(id)) return undefined;
  return isId(asked)
    ? { ...answer, runId: `row-${id}` }
    : { kind: "injected", runId: `inject-${id}`, origin: "injected" };
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
