import type { ChatEvent, RejectReason } from "../types.ts";
import { isTooLongAnId, readId, readWords } from "./fields.ts";
import { messageText } from "./text.ts";

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
  const { runId, state, seq, sessionKey, spawnedBy, message, deltaText, replace, errorMessage, errorKind } = raw;
  if (runId === undefined || runId === null || runId === "") return "no-run-id";
  const id = readId(runId);
  if (id === undefined) return "bad-run-id";
  if (typeof state !== "string" || isTooLongAnId(state)) return "bad-state";
  if (isTooLongAnId(sessionKey) || isTooLongAnId(spawnedBy)) return "bad-id";

  // One literal and then assignments: every event gets the same hidden class order, and no key is ever undefined.
  const event: { -readonly [K in keyof ChatEvent]: ChatEvent[K] } = { runId: id, state };
  if (typeof seq === "number" && Number.isInteger(seq)) event.seq = seq;
  const key = readSessionKey(sessionKey);
  if (key !== undefined) event.sessionKey = key;
  const text = messageText(message);
  if (text !== undefined) event.messageText = text;
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

/** A session key as the Gateway would write it: in lower case. Undefined where there is none to read. */
export function readSessionKey(key: unknown): string | undefined {
  return readId(key)?.toLowerCase();
}
