/** A piece of Markdown that is code. */
export interface CodeRegion {
  readonly start: number;
  readonly end: number;
  /** A fenced or indented block on its own lines. */
  readonly isBlock: boolean;
}

const FENCE = /^ {0,3}(`{3,}(?=[^`]*$)|~{3,})/;
const INDENTED = /^(?: {4}|\t)/;

/** The code in a Markdown text, in order: fenced blocks, indented blocks, and text between backticks. */
export function codeRegions(text: string): readonly CodeRegion[] {
  const regions: CodeRegion[] = [];
  let fence: { readonly start: number; readonly mark: string } | undefined;
  let paragraphFrom = 0;
  let isAfterBlank = true;
  let at = 0;
  const endParagraph = (end: number) => inline(text.slice(paragraphFrom, end), paragraphFrom, regions);
  for (const line of text.split("\n")) {
    const end = Math.min(at + line.length + 1, text.length);
    const mark = FENCE.exec(line)?.[1];
    if (fence !== undefined) {
      const isSame = mark !== undefined && mark[0] === fence.mark[0] && mark.length >= fence.mark.length;
      const isClose = isSame && /^\s*[`~]+\s*$/.test(line);
      if (isClose) {
        regions.push({ start: fence.start, end, isBlock: true });
        fence = undefined;
        paragraphFrom = end;
      }
    } else if (mark !== undefined) {
      endParagraph(at);
      fence = { start: at, mark };
    } else if (isAfterBlank && INDENTED.test(line) && line.trim() !== "") {
      endParagraph(at);
      regions.push({ start: at, end, isBlock: true });
      paragraphFrom = end;
    } else if (line.trim() === "") {
      endParagraph(at);
      paragraphFrom = end;
    }
    // An indented line after an indented line is code, too.
    isAfterBlank = line.trim() === "" || (isAfterBlank && INDENTED.test(line));
    at = end;
  }
  if (fence === undefined) endParagraph(text.length);
  else regions.push({ start: fence.start, end: text.length, isBlock: true });
  return regions;
}

/** Finds code between backticks. It ends with as many backticks as it begins with. */
function inline(paragraph: string, offset: number, regions: CodeRegion[]): void {
  if (!paragraph.includes("`")) return;
  const runs = Array.from(paragraph.matchAll(/`+/g), ({ 0: { length }, index }) => ({ index, length, closedBy: -1 }));
  const next = new Map<number, number>();
  for (const [index, run] of [...runs.entries()].reverse()) {
    run.closedBy = next.get(run.length) ?? -1;
    next.set(run.length, index);
  }
  for (let first = 0; first < runs.length; first += 1) {
    const open = runs[first];
    const close = runs[open?.closedBy ?? -1];
    if (open === undefined || close === undefined) continue;
    regions.push({ start: offset + open.index, end: offset + close.index + close.length, isBlock: false });
    first = open.closedBy;
  }
}

/** Whether the character at `at` is code. `regions` must be in order. */
export function isInCode(at: number, regions: readonly CodeRegion[]): boolean {
  let from = 0;
  let to = regions.length;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if ((regions[middle] as CodeRegion).end <= at) from = middle + 1;
    else to = middle;
  }
  const region = regions[from];
  return region !== undefined && at >= region.start;
}
