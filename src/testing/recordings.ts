import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { InboxError, optionError } from "../errors.ts";

const folder = new URL("./recordings/", import.meta.url);

/** One line of a recording. */
export interface RecordedFrame {
  /** The time since the recording began, in ms. */
  readonly t: number;
  /** The name of the connection that received it. */
  readonly conn: string;
  /** The frame as it was sent. */
  readonly frame: Readonly<Record<string, unknown>>;
}

/**
 * The names of the recordings that come with this package, sorted. All are of a real Gateway. A name that ends in
 * `.subscribed` or `.roster` is of a connection with subscriptions, in the same scenario.
 */
export function recordingNames(): readonly string[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith(".ndjson"))
    .map((file) => file.slice(0, -".ndjson".length))
    .sort();
}

/**
 * The path of the recording `name`, one of {@link recordingNames}.
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
 * Reads a recording, by its name in {@link recordingNames} or by the path of a file.
 *
 * @throws {InboxError} `ERR_INBOX_RECORDING` when the file cannot be read or a line is no recorded frame.
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
    // The error below names the place.
  }
  throw new InboxError("ERR_INBOX_RECORDING", `Line ${number} of ${file} is not a recorded frame`, {
    file,
    line: number,
  });
}
