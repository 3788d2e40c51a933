import type { ChatEvent, RejectReason } from "../types.ts";
import { attachmentsOf, contentAttachments } from "./attachments.ts";
import { fields, isTime, isTooLongAnId, readId, readWords } from "./fields.ts";
import { contentText, isCut } from "./text.ts";

/**
 * Reads the payload of a `chat` event from `gateway`, loosely. Unknown keys are ignored, and fields of a wrong type are
 * left out. The event is rejected only when a required field is missing. Never throws: a host may pass objects with
 * getters, proxies, or anything else.
 */
export function readChatEvent(payload: unknown, gateway: string): ChatEvent | RejectReason {
  try {
    return read(payload, gateway);
  } catch {
    return "not-a-frame";
  }
}

function read(payload: unknown, gateway: string): ChatEvent | RejectReason {
  if (typeof payload !== "object" || payload === null) return "not-a-frame";
  // Each field is read once, because a getter may answer differently the second time.
  const raw = payload as Record<string, unknown>;
  const { runId, seq, sessionKey, spawnedBy, agentId, deltaText, replace, errorMessage, errorKind, stopReason } = raw;
  const { state: told, message } = raw;
  const said = readMessage(message);
  // The provider failed. Its words may be in the place of the agent's.
  const state = told === "final" && (stopReason === "error" || said.stopReason === "error") ? "error" : told;
  if (runId === undefined || runId === null || runId === "") return "no-run-id";
  const id = readId(runId);
  if (id === undefined) return "bad-run-id";
  if (typeof state !== "string" || isTooLongAnId(state)) return "bad-state";
  if (isTooLongAnId(sessionKey) || isTooLongAnId(spawnedBy)) return "bad-id";

  // One literal and then assignments: the fields always come in the same order, and no field is undefined.
  const event: { -readonly [K in keyof ChatEvent]: ChatEvent[K] } = { runId: id, state };
  if (typeof seq === "number" && Number.isInteger(seq)) event.seq = seq;
  const key = readId(sessionKey);
  if (key !== undefined) event.sessionKey = key;
  const { text } = said;
  if (text !== undefined) event.messageText = text;
  if (state === "final" && said.isRow) event.isRow = true;
  if (state === "final" && said.writtenAt !== undefined) event.writtenAt = said.writtenAt;
  if (state === "final" && text !== undefined && isCut(text, said.mark)) event.truncated = true;
  const agent = readId(agentId);
  if (agent !== undefined) event.agentId = agent;
  if (state === "final") {
    const told = contentAttachments(said.content);
    const at = { gateway, sessionKey: key ?? "", runId: id, agentId: agent };
    if (told !== undefined) event.attachments = attachmentsOf(told, at);
  }
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
  readonly writtenAt: number | undefined;
  readonly mark: Readonly<Record<string, unknown>>;
}

/**
 * What the message of an event says. As in the Gateway's own clients, only an agent's message counts. A message with
 * another role (a user, a tool) is ignored.
 */
function readMessage(message: unknown): Said {
  const { role, content, stopReason, usage, model, timestamp, __openclaw } = fields(message);
  if (role !== "assistant" && typeof role === "string" && role.toLowerCase() !== "assistant") return NOTHING;
  const text = typeof message === "string" ? message : contentText(content);
  const isRow = typeof usage === "object";
  const writtenAt = isRow && model === "gateway-injected" && isTime(timestamp) ? timestamp : undefined;
  return { text, content, stopReason, isRow, writtenAt, mark: fields(__openclaw) };
}

const NOTHING: Said = {
  text: undefined,
  content: undefined,
  stopReason: undefined,
  isRow: false,
  writtenAt: undefined,
  mark: {},
};
