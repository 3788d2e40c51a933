import type { ChatEvent, RejectReason } from "../types.ts";
import { messageText } from "./text.ts";

/** The longest run id or session key that is read, in characters; the longest on a real Gateway has 121. */
export const MAX_ID_CHARS = 1_024;

/**
 * Reads the payload of a `chat` event, loosely: unknown keys are ignored, and only what is needed
 * and missing is a reason to reject it. Never throws on anything that JSON can hold.
 */
export function readChatEvent(payload: unknown): ChatEvent | RejectReason {
  if (typeof payload !== "object" || payload === null) return "not-a-frame";
  const raw = payload as Record<string, unknown>;
  const { runId, state, seq, message } = raw;
  if (runId === undefined || runId === null || runId === "") return "no-run-id";
  if (typeof runId !== "string" || runId.length > MAX_ID_CHARS) return "bad-run-id";
  if (typeof state !== "string") return "bad-state";

  // One literal and then assignments: every event gets the same hidden class order, and no key is ever undefined.
  const event: { -readonly [K in keyof ChatEvent]: ChatEvent[K] } = { runId, state };
  if (typeof seq === "number" && Number.isInteger(seq)) event.seq = seq;
  const sessionKey = readSessionKey(raw.sessionKey);
  if (sessionKey !== undefined) event.sessionKey = sessionKey;
  const text = messageText(message);
  if (text !== undefined) event.messageText = text;
  if (typeof raw.deltaText === "string") event.deltaText = raw.deltaText;
  if (raw.replace === true) event.replace = true;
  if (typeof raw.spawnedBy === "string") event.spawnedBy = raw.spawnedBy;
  if (typeof raw.errorMessage === "string") event.errorMessage = raw.errorMessage;
  if (typeof raw.errorKind === "string") event.errorKind = raw.errorKind;
  return event;
}

/** A session key as the Gateway would write it: in lower case. Undefined where there is none to read. */
export function readSessionKey(key: unknown): string | undefined {
  return typeof key === "string" && key !== "" && key.length <= MAX_ID_CHARS ? key.toLowerCase() : undefined;
}
