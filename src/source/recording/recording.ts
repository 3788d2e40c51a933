import { createReadStream } from "node:fs";
import { setImmediate as nextTurn } from "node:timers/promises";
import { assertKnownKeys, errorText, optionError } from "../../errors.ts";
import { type Clock, systemClock } from "../../kit/clock.ts";
import { assertLabels, type Source, type SourceListener } from "../source.ts";
import { type RecordedLine, readRecordedLine } from "./line.ts";
import { createPace, type Pace } from "./pace.ts";
import { decodeText, MAX_LINE_LENGTH, readLines } from "./read-lines.ts";

/** Options of {@link recordingSource}. */
export interface RecordingOptions {
  /**
   * The name of the Gateway that was recorded.
   *
   * @default "default"
   */
  readonly name?: string;
  /** A label for this recording. Its messages have it as `owner`. */
  readonly owner?: string;
  /**
   * How many times faster than it was recorded: `1` is the recorded pace, `10` is ten times as fast, `Infinity` has no
   * pauses.
   *
   * @default Infinity
   */
  readonly speed?: number;
  /**
   * The clock for the pauses.
   *
   * @default the system's clock
   */
  readonly clock?: Clock;
}

/** A {@link Source} that ends by itself. */
export interface RecordingSource extends Source {
  /** Resolves when the recording is over, cannot be read, or was closed. Never rejects. */
  readonly finished: Promise<void>;
}

/** A file that begins with this many lines without a frame is not a recording. */
const MAX_UNREADABLE = 100;

/** How many frames are played before the event loop runs. */
const FRAMES_PER_TURN = 64;

/**
 * Plays a recorded connection: a file with one line `{"t": <ms>, "conn": "...", "frame": {...}}` per frame, in order.
 * The file is streamed and never held whole. A recorded hello becomes a `hello` of the link, a new challenge in the
 * middle a `lost` connection, the end of the file `ended`. A line without a frame is passed on, so that it is counted
 * as an unreadable frame. If the file cannot be read or holds no frame, the link is `refused` and names the file.
 *
 * @example
 * const source = recordingSource("./gateway.ndjson", { speed: 10 });
 * const inbox = createInbox({ source, deliver });
 * await inbox.start();
 * await source.finished;
 *
 * @throws {InboxError} `ERR_INBOX_OPTION` for a wrong option. A missing file is an error only at `open`.
 */
export function recordingSource(file: string | URL, options: RecordingOptions = {}): RecordingSource {
  const { name = "default", owner, speed = Number.POSITIVE_INFINITY, clock = systemClock } = options;
  assertKnownKeys("recordingSource()", options, ["name", "owner", "speed", "clock"]);
  checkOptions(file, name, owner, speed);
  let stop: AbortController | undefined;
  let played = Promise.resolve();
  let finish = () => {};
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });

  return {
    name,
    ...(owner !== undefined && { owner }),
    finished,
    open(listener) {
      if (stop !== undefined) return;
      stop = new AbortController();
      const { signal } = stop;
      // A microtask later, so that a `close` from the listener can wait for it.
      played = Promise.resolve()
        .then(() => play(file, listener, createPace(speed, clock, signal), signal))
        .finally(finish);
    },
    async close() {
      stop?.abort();
      stop = undefined;
      await played;
      finish();
    },
  };
}

async function play(file: string | URL, listener: SourceListener, pace: Pace, signal: AbortSignal): Promise<void> {
  const stream = createReadStream(file, { signal });
  try {
    signal.throwIfAborted();
    listener.link({ type: "connect" });
    await playLines(recordedLines(readLines(decodeText(stream))), listener, pace, signal);
    listener.link({ type: "ended", reason: "The recording is over." });
  } catch (error) {
    if (signal.aborted) listener.link({ type: "ended", reason: "The source was closed." });
    else
      listener.link({ type: "refused", reason: `The recording ${String(file)} cannot be read: ${errorText(error)}.` });
  } finally {
    stream.destroy();
  }
}

async function playLines(
  lines: AsyncIterable<RecordedLine>,
  listener: SourceListener,
  pace: Pace,
  signal: AbortSignal,
): Promise<void> {
  const playLine = createPlayer(listener);
  let count = 0;
  for await (const line of lines) {
    await pace(line.t);
    signal.throwIfAborted();
    playLine(line);
    count += 1;
    if (count % FRAMES_PER_TURN === 0) await nextTurn();
  }
}

/** The lines that are not blank. Throws when the file does not begin like a recording. */
async function* recordedLines(lines: AsyncIterable<string>): AsyncGenerator<RecordedLine> {
  const unreadable: RecordedLine[] = [];
  let length = 0;
  let begun = false;
  for await (const text of lines) {
    if (text.trim() === "") continue;
    const line = readRecordedLine(text);
    begun ||= line.readable;
    if (!begun) {
      unreadable.push(line);
      length += text.length;
      if (unreadable.length === MAX_UNREADABLE || length > MAX_LINE_LENGTH) break;
      continue;
    }
    yield* unreadable.splice(0);
    yield line;
  }
  const { length: count } = unreadable;
  if (begun || count === 0) return;
  const found = count === 1 ? "its first line holds" : `its first ${count} lines hold`;
  throw new Error(`${found} no frame; a recording has one {"t": ..., "frame": {...}} a line`);
}

/** Passes each line to the listener, with the change of the link that it means. */
function createPlayer(listener: SourceListener): (line: RecordedLine) => void {
  let begun = false;
  return ({ frame, challenge, hello }) => {
    if (challenge && begun) {
      listener.link({ type: "lost", reason: "The recorded connection ended here, and another began." });
      listener.link({ type: "connect" });
    }
    // A recording without its beginning was live when it was cut.
    if (!challenge && !begun && hello === undefined) listener.link({ type: "hello" });
    if (hello !== undefined) listener.link({ type: "hello", hello });
    begun = true;
    listener.frame(frame);
  };
}

function checkOptions(file: unknown, name: unknown, owner: unknown, speed: unknown): void {
  if (!(file instanceof URL) && (typeof file !== "string" || file === ""))
    throw optionError("file", "a path or a file: URL", file);
  if (file instanceof URL && file.protocol !== "file:") throw optionError("file", "a path or a file: URL", file.href);
  assertLabels(name, owner);
  if (typeof speed !== "number" || !(speed > 0)) throw optionError("speed", "a number above 0", speed);
}
