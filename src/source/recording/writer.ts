import { createWriteStream } from "node:fs";
import { finished } from "node:stream/promises";
import type { LinkEvent } from "../../../machines/link.ts";
import { assertKnownKeys, errorText, InboxError, optionError } from "../../errors.ts";
import { type Clock, systemClock } from "../../kit/clock.ts";
import { redactedJson } from "../gateway/redact.ts";
import type { SourceListener } from "../source.ts";

/** Options of {@link createRecordingWriter}. */
export interface RecordingWriterOptions {
  /**
   * The value of `conn` in each line.
   *
   * @default "listener"
   */
  readonly conn?: string;
  /**
   * How many bytes may wait for the disk. Beyond that, frames are dropped and counted, because a connection cannot be
   * made to wait.
   *
   * @default 67_108_864
   */
  readonly maxWaitingBytes?: number;
  /** Called once, when the file cannot be written. Later frames are dropped. */
  readonly onError?: (error: InboxError) => void;
  /**
   * The clock for the times of the lines.
   *
   * @default the system's clock
   */
  readonly clock?: Clock;
}

/** Writes what a source reports, so that `recordingSource` can play it. Pass it to the source as its listener. */
export interface RecordingWriter extends SourceListener {
  /** The frames that were accepted for writing. */
  readonly written: number;
  /** The frames that were left out: JSON cannot hold them, the disk was too slow, or the file could not be written. */
  readonly dropped: number;
  /**
   * Writes the rest and closes the file. Later frames are dropped.
   *
   * @throws {InboxError} `ERR_INBOX_RECORDING` when the file could not be written.
   */
  finish(): Promise<void>;
}

/**
 * Appends a recording to `file`: one line `{"t", "conn", "frame"}` per frame, with `t` in ms since this call. Nonces,
 * tokens, passwords and signatures are blanked out. Texts of messages are not, so only the owner can read a new file.
 * An attempt to connect is written as the challenge that it begins with, and a hello as the answer to it.
 *
 * @throws {InboxError} `ERR_INBOX_OPTION` for a wrong option.
 */
export function createRecordingWriter(file: string | URL, options: RecordingWriterOptions = {}): RecordingWriter {
  const { conn = "listener", maxWaitingBytes = 64 * 1024 * 1024, onError, clock = systemClock } = options;
  assertKnownKeys("createRecordingWriter()", options, ["conn", "maxWaitingBytes", "onError", "clock"]);
  if (!Number.isSafeInteger(maxWaitingBytes) || maxWaitingBytes < 1) {
    throw optionError("maxWaitingBytes", "an integer >= 1", maxWaitingBytes);
  }
  const startedAt = clock.now();
  const stream = createWriteStream(file, { flags: "a", mode: 0o600 });
  let failure: InboxError | undefined;
  let finishing: Promise<void> | undefined;
  let written = 0;
  let dropped = 0;

  stream.on("error", (error) => {
    if (failure !== undefined) return;
    failure = new InboxError(
      "ERR_INBOX_RECORDING",
      `Cannot write the recording ${String(file)}: ${errorText(error)}`,
      { file },
      error,
    );
    onError?.(failure);
  });

  function append(frame: unknown): void {
    const json = writable(frame);
    if (
      failure !== undefined ||
      finishing !== undefined ||
      json === undefined ||
      stream.writableLength > maxWaitingBytes
    ) {
      dropped += 1;
      return;
    }
    written += 1;
    stream.write(`{"t":${clock.now() - startedAt},"conn":${JSON.stringify(conn)},"frame":${json}}\n`);
  }

  return {
    frame: append,
    link(event) {
      const frame = linkFrame(event, clock.now());
      if (frame !== undefined) append(frame);
    },
    get written() {
      return written;
    },
    get dropped() {
      return dropped;
    },
    async finish() {
      finishing ??= close();
      await finishing;
      if (failure !== undefined) throw failure;
    },
  };

  async function close(): Promise<void> {
    stream.end();
    // `finish` throws a failure that was stored above.
    await finished(stream).catch(() => {});
  }
}

/** A frame's JSON without its secrets. Undefined when JSON cannot hold it, or it is nested too deep. */
function writable(frame: unknown): string | undefined {
  try {
    return redactedJson(readFrame(frame));
  } catch {
    return undefined;
  }
}

/** The frame that a player turns into this change of the link. */
function linkFrame(event: LinkEvent, now: number): object | undefined {
  if (event.type === "connect")
    return { type: "event", event: "connect.challenge", payload: { nonce: "<redacted>", ts: now } };
  if (event.type === "hello")
    return { type: "res", id: "hello", ok: true, payload: { type: "hello-ok", ...event.hello } };
  return undefined;
}

/** A frame for JSON: parsed if it is JSON, else the text. */
function readFrame(frame: unknown): unknown {
  const text = textOf(frame);
  if (text === undefined) return frame;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** The text of a frame in any form that a `ws` socket gives; undefined when it is parsed already. */
function textOf(frame: unknown): string | undefined {
  if (typeof frame === "string") return frame;
  if (frame instanceof ArrayBuffer) return Buffer.from(frame).toString();
  if (frame instanceof Uint8Array) return Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength).toString();
  if (Array.isArray(frame) && frame.length > 0 && frame.every((part) => part instanceof Uint8Array))
    return Buffer.concat(frame).toString();
  return undefined;
}
