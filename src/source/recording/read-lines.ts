/** The longest line of a recording, in characters. The largest frame of a Gateway has 25 MiB. */
export const MAX_LINE_LENGTH = 32 * 1024 * 1024;

/**
 * The lines of a text that comes in pieces, without their line ends. A last line without a line end counts. A line
 * longer than `maxLength` is cut there.
 */
export async function* readLines(pieces: AsyncIterable<string>, maxLength = MAX_LINE_LENGTH): AsyncGenerator<string> {
  let parts: string[] = [];
  let length = 0;
  /** The beginning of this line was returned already. The rest is skipped. */
  let cut = false;

  function keep(part: string): void {
    if (!cut && part !== "") parts.push(part);
    length += part.length;
  }

  function take(): string {
    const line = parts.join("");
    parts = [];
    return line.endsWith("\r") ? line.slice(0, -1) : line;
  }

  for await (const piece of pieces) {
    let from = 0;
    for (let end = piece.indexOf("\n"); end !== -1; end = piece.indexOf("\n", from)) {
      keep(piece.slice(from, end));
      from = end + 1;
      if (!cut) yield take();
      cut = false;
      length = 0;
    }
    keep(piece.slice(from));
    if (length > maxLength && !cut) {
      yield take();
      cut = true;
    }
  }
  if (length > 0 && !cut) yield take();
}

/**
 * The text of a file that comes in pieces. It is UTF-8, or UTF-16 if it begins with that byte order mark, as Windows
 * writes it. The mark is removed.
 */
export async function* decodeText(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  let decoder: InstanceType<typeof TextDecoder> | undefined;
  for await (const piece of pieces) {
    decoder ??= new TextDecoder(encodingOf(piece));
    yield decoder.decode(piece, { stream: true });
  }
  if (decoder !== undefined) yield decoder.decode();
}

function encodingOf([first, second]: Uint8Array): string {
  if (first === 0xff && second === 0xfe) return "utf-16le";
  return first === 0xfe && second === 0xff ? "utf-16be" : "utf-8";
}
