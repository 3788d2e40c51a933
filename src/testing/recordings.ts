import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { InboxError, optionError } from "../errors.ts";

const folder = new URL("./recordings/", import.meta.url);

/** One line of a recording. */
export interface RecordedFrame {
  /** Ms since the recording began. */
  readonly t: number;
  /** Which of the recorded connections received it. */
  readonly conn: string;
  readonly frame: Readonly<Record<string, unknown>>;
}

/**
 * The names of the recordings of a real Gateway that come with this package, sorted. A name that
 * ends in `.subscribed` or `.roster` is what a connection with subscriptions heard of the same scenario.
 */
export function recordingNames(): readonly string[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith(".ndjson"))
    .map((file) => file.slice(0, -".ndjson".length))
    .sort();
}

/**
 * The file of the recording called `name`.
 *
 * @throws {InboxError} `ERR_INBOX_OPTION` when there is no such recording.
 */
export function recordingPath(name: string): string {
  if (!recordingNames().includes(name)) {
    throw optionError("name", "one of recordingNames()", name);
  }
  return fileURLToPath(new URL(`${name}.ndjson`, folder));
}

/**
 * The frames of a recording: one of ours by name, or any file by path.
 *
 * @throws {InboxError} `ERR_INBOX_RECORDING` when the file cannot be read, or a line of it is not a recorded frame.
 */
export function readRecording(pathOrName: string): readonly RecordedFrame[] {
  const path = recordingNames().includes(pathOrName) ? recordingPath(pathOrName) : pathOrName;
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new InboxError("ERR_INBOX_RECORDING", `Cannot read the recording ${path}`, { file: path }, error);
  }
  return text.split("\n").flatMap((line, index) => (line.trim() === "" ? [] : [parseLine(line, path, index + 1)]));
}

function parseLine(line: string, file: string, number: number): RecordedFrame {
  try {
    const { t, conn, frame } = JSON.parse(line) as RecordedFrame;
    if (typeof t === "number" && typeof frame === "object" && frame !== null) return { t, conn, frame };
  } catch {
    // Falls through to the one error that names the place.
  }
  throw new InboxError("ERR_INBOX_RECORDING", `Line ${number} of ${file} is not a recorded frame`, {
    file,
    line: number,
  });
}
