import { closeSync, existsSync, openSync } from "node:fs";
import { errorText, InboxError } from "../errors.ts";
import { createRecordingWriter, type RecordingWriter } from "../source/recording/writer.ts";
import type { SourceListener } from "../source/source.ts";

/** A recording in progress. */
export interface RecordingFile extends SourceListener {
  /** Undefined until the Gateway accepts us, so that a refused attempt leaves no file. */
  readonly writer: RecordingWriter | undefined;
}

/** Options of {@link createRecordingFile}. */
export interface RecordingFileOptions {
  /** Replace an existing file. */
  readonly replace: boolean;
  /** Called once, when the file cannot be created or written. */
  readonly onError: (error: InboxError) => void;
}

/**
 * A listener that writes what it hears to `file`. Only this user may read the file.
 *
 * @throws {InboxError} `ERR_INBOX_RECORDING` when the file exists and may not be replaced.
 */
export function createRecordingFile(file: string, { replace, onError }: RecordingFileOptions): RecordingFile {
  if (!replace && existsSync(file)) throw isThere(file);
  let writer: RecordingWriter | undefined;
  let failed = false;

  /** The writer. It is created at the first frame or hello, and first writes the `connect` before it. */
  function begun(): RecordingWriter | undefined {
    if (writer !== undefined || failed) return writer;
    try {
      makeFile(file, replace);
      writer = createRecordingWriter(file, { onError });
      writer.link({ type: "connect" });
    } catch (error) {
      failed = true;
      onError(error as InboxError);
    }
    return writer;
  }

  return {
    get writer() {
      return writer;
    },
    // The first frame may come shortly before the hello.
    frame: (frame) => begun()?.frame(frame),
    link(event) {
      const into = event.type === "hello" ? begun() : writer;
      into?.link(event);
    },
  };
}

function makeFile(file: string, replace: boolean): void {
  try {
    closeSync(openSync(file, replace ? "w" : "wx", 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") throw isThere(file);
    throw new InboxError("ERR_INBOX_RECORDING", `Cannot write ${file}: ${errorText(error)}`, { file }, error);
  }
}

function isThere(file: string): InboxError {
  return new InboxError("ERR_INBOX_RECORDING", `There is a file ${file} already; --force replaces it`, { file });
}
