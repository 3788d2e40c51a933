import type { ChatEvent, RejectReason } from "../types.ts";
import { fields, isTooLongAnId, readId, readWords } from "./fields.ts";
import { contentText, hasMedia, isCut } from "./text.ts";

/**
 * Reads the payload of a `chat` event, loosely: unknown keys are ignored, fields of another type than they should
 * have are left out, and only what is needed and missing is a reason to reject it. Never throws, whatever it is
 * given: a host may hand over objects with getters, proxies, or anything else.
 */
export function readChatEvent(payload: unknown): ChatEvent | RejectReason {
  try {
    return read(payload);
  } catch {
    return "not-a-frame";
  }
}

function read(payload: unknown): ChatEvent | RejectReason {
  if (typeof payload !== "object" || payload === null) return "not-a-frame";
  // Each field is read once: a getter may answer differently the second time.
  const raw = payload as Record<string, unknown>;
  const { runId, seq, sessionKey, spawnedBy, agentId, deltaText, replace, errorMessage, errorKind, stopReason } = raw;
  const { state: told, message } = raw;
  const said = readMessage(message);
  // The provider failed, and its words may stand where the agent's would.
  const state = told === "final" && (stopReason === "error" || said.stopReason === "error") ? "error" : told;
  if (runId === undefined || runId === null || runId === "") return "no-run-id";
  const id = readId(runId);
  if (id === undefined) return "bad-run-id";
  if (typeof state !== "string" || isTooLongAnId(state)) return "bad-state";
  if (isTooLongAnId(sessionKey) || isTooLongAnId(spawnedBy)) return "bad-id";

  // One literal and then assignments: every event gets the same hidden class order, and no key is ever undefined.
  const event: { -readonly [K in keyof ChatEvent]: ChatEvent[K] } = { runId: id, state };
  if (typeof seq === "number" && Number.isInteger(seq)) event.seq = seq;
  const key = readId(sessionKey);
  if (key !== undefined) event.sessionKey = key;
  const { text } = said;
  if (text !== undefined) event.messageText = text;
  if (state === "final" && hasMedia(said.content)) event.hasMedia = true;
  if (state === "final" && said.isRow) event.isRow = true;
  if (state === "final" && text !== undefined && isCut(text, said.mark)) event.truncated = true;
  const agent = readId(agentId);
  if (agent !== undefined) event.agentId = agent;
  if (typeof deltaText === "string") event.deltaText = deltaText;
  if (replace === true) event.replace = true;
  const parent = readId(spawnedBy);
  if (parent !== undefined) event.spawnedBy = parent;
  const words = readWords(errorMessage);
  if (words !== undefined) event.errorMessage = words;
  const kind = readWords(errorKind);
  if (kind !== undefined) event.errorKind = kind;
  return event;
}

interface Said {
  readonly text: string | undefined;
  readonly content: unknown;
  readonly stopReason: unknown;
  readonly isRow: boolean;
  readonly mark: Readonly<Record<string, unknown>>;
}

/**
 * What the message of an event says. Only an agent's counts: as the Gateway's own clients do, what carries another role
 * (a user's words, a tool's result) is taken for no message.
 */
function readMessage(message: unknown): Said {
  const { role, content, stopReason, usage, __openclaw } = fields(message);
  if (typeof role === "string" && role.toLowerCase() !== "assistant") return NOTHING;
  const text = typeof message === "string" ? message : contentText(content);
  return { text, content, stopReason, isRow: typeof usage === "object", mark: fields(__openclaw) };
}

const NOTHING: Said = { text: undefined, content: undefined, stopReason: undefined, isRow: false, mark: {} };
