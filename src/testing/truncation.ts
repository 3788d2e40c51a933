import type { TranscriptRow } from "./transcript.ts";

/** The characters of a row that a Gateway gives by default. `session.message` never has more. */
export const DISPLAY_CHARS = 8_000;

/** `row` with its text cut at `maxChars` characters and marked as cut. The same row when it fits. */
export function truncated(row: TranscriptRow, maxChars: number): TranscriptRow {
  const { content } = row;
  const cut = Array.isArray(content) ? content.map((block) => cutBlock(block, maxChars)) : cutText(content, maxChars);
  const same = Array.isArray(content)
    ? content.every((block, index) => block === (cut as unknown[])[index])
    : cut === content;
  if (same) return row;
  return {
    ...row,
    content: cut,
    __openclaw: { ...(row["__openclaw"] as object), truncated: true, reason: "display-cap" },
  };
}

function cutBlock(block: unknown, maxChars: number): unknown {
  const { text } = block as { text?: unknown };
  const cut = cutText(text, maxChars);
  return cut === text ? block : { ...(block as object), text: cut };
}

function cutText(text: unknown, maxChars: number): unknown {
  return typeof text === "string" && text.length > maxChars ? `${text.slice(0, maxChars)}\n...(truncated)...` : text;
}
