import type { RejectReason } from "../types.ts";
import { carriesTooLongAnId } from "./fields.ts";

/** An event frame of any kind. */
export interface EventFrame {
  readonly event: string;
  readonly payload: unknown;
}

/** A frame that could not be read. */
export interface BadFrame {
  readonly reason: RejectReason;
  readonly size?: number;
}

const decoder = new TextDecoder();

/**
 * Reads one WebSocket message: its text, its bytes, or the object already parsed from it. Undefined for a frame that is
 * not an event, such as the answer to a request. Never throws.
 */
export function readFrame(data: unknown, maxFrameBytes: number): EventFrame | BadFrame | undefined {
  try {
    return read(data, maxFrameBytes);
  } catch {
    return { reason: "not-a-frame" };
  }
}

function read(data: unknown, maxFrameBytes: number): EventFrame | BadFrame | undefined {
  if (typeof data === "string") return readText(data, maxFrameBytes);
  const bytes = toBytes(data);
  if (bytes === undefined) return readObject(data);
  if (bytes.byteLength > maxFrameBytes) return { reason: "too-large", size: bytes.byteLength };
  return readText(decoder.decode(bytes), maxFrameBytes);
}

/** No real message comes in more pieces. An array from a host may be endless. */
const MAX_PIECES = 100_000;

/** The bytes of a message from a `ws` socket: a Buffer, an ArrayBuffer, or several Buffers. */
function toBytes(data: unknown): Uint8Array | undefined {
  if (data instanceof Uint8Array) return data;
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  if (!Array.isArray(data)) return undefined;
  const { length } = data;
  if (length > MAX_PIECES) return undefined;
  const pieces: Uint8Array[] = [];
  for (let i = 0; i < length; i++) {
    const piece: unknown = data[i];
    if (!(piece instanceof Uint8Array)) return undefined;
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

function readText(text: string, maxFrameBytes: number): EventFrame | BadFrame | undefined {
  // A UTF-16 code unit takes at most three bytes. Bytes are counted only near the limit.
  if (text.length * 3 > maxFrameBytes && Buffer.byteLength(text) > maxFrameBytes) {
    return { reason: "too-large", size: text.length };
  }
  let frame: unknown;
  try {
    frame = JSON.parse(text);
  } catch {
    return { reason: "not-json", size: text.length };
  }
  return readObject(frame, text.length);
}

function readObject(frame: unknown, size?: number): EventFrame | BadFrame | undefined {
  if (typeof frame !== "object" || frame === null) return bad("not-a-frame", size);
  const { type, event, payload } = frame as Record<string, unknown>;
  if (type === "event" && typeof event === "string") {
    // The ids of a chat event are checked when the event is read.
    return event !== "chat" && carriesTooLongAnId(payload) ? bad("bad-id", size) : { event, payload };
  }
  return typeof type === "string" && type !== "event" ? undefined : bad("not-a-frame", size);
}

function bad(reason: RejectReason, size: number | undefined): BadFrame {
  return size === undefined ? { reason } : { reason, size };
}
