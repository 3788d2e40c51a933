/** No line of a recording is longer: the largest frame a Gateway sends has 25 MiB. In characters. */
const MAX_LINE_LENGTH = 32 * 1024 * 1024;

/**
 * The lines of a text that comes in pieces, without their line ends. Of a line longer than `maxLength` only a piece
 * is given, so that it is seen not to be whole; a last line without a line end counts.
 */
export async function* readLines(pieces: AsyncIterable<string>, maxLength = MAX_LINE_LENGTH): AsyncGenerator<string> {
  let parts: string[] = [];
  let length = 0;

  function keep(part: string): void {
    if (length <= maxLength) parts.push(part);
    length += part.length;
  }

  function take(): string {
    const line = parts.join("");
    parts = [];
    length = 0;
    return line.endsWith("\r") ? line.slice(0, -1) : line;
  }

  for await (const piece of pieces) {
    let from = 0;
    for (let end = piece.indexOf("\n"); end !== -1; end = piece.indexOf("\n", from)) {
      keep(piece.slice(from, end));
      from = end + 1;
      yield take();
    }
    keep(piece.slice(from));
  }
  if (length > 0) yield take();
}
