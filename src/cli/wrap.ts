/**
 * Breaks a text into lines of at most `width` characters, between words where possible. If there are more than
 * `maxLines`, the last line says how long the whole text is.
 */
export function wrap(text: string, width: number, maxLines = Number.POSITIVE_INFINITY): readonly string[] {
  const lines: string[] = [];
  for (const line of text.split("\n")) {
    // One line more than the limit shows that something is left out.
    if (lines.length > maxLines) break;
    lines.push(...wrapLine(line, width, maxLines + 1 - lines.length));
  }
  if (lines.length <= maxLines) return lines;
  return [...lines.slice(0, maxLines), `… (${text.length.toLocaleString("en")} characters)`];
}

function wrapLine(line: string, width: number, maxLines: number): readonly string[] {
  if (line.length <= width) return [line];
  const indent = /^ */.exec(line)?.[0].slice(0, width / 2) ?? "";
  const lines: string[] = [];
  let current = indent;
  // More than this cannot be shown, so the rest is not read.
  const words = line
    .slice(0, (width + 1) * maxLines)
    .trim()
    .split(" ");
  for (const word of words.flatMap((part) => pieces(part, width - indent.length))) {
    if (current === indent) current += word;
    else if (current.length + 1 + word.length <= width) current += ` ${word}`;
    else {
      lines.push(current);
      current = indent + word;
    }
  }
  return [...lines, current];
}

/** The pieces of a word that is longer than a line, cut between characters. */
function pieces(word: string, width: number): readonly string[] {
  if (word.length <= width) return [word];
  const cut: string[] = [""];
  for (const character of word) {
    if ((cut.at(-1) as string).length + character.length > width) cut.push("");
    cut[cut.length - 1] += character;
  }
  return cut;
}
