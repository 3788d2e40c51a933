import { type CodeRegion, codeRegions, isInCode } from "./code-regions.ts";

/**
 * The text of a transcript row as the `chat` events of its run had it. Rows keep what the model wrote. The Gateway
 * (2026.9.6: live-chat-projector, parse-output, reasoning-tags, directive-tags) removes what is meant for itself before
 * it sends the text to listeners. In code it removes nothing. Removed are:
 *
 * - `<final>` tags, but not the text between them;
 * - `<think>`, `<thinking>`, `<thought>` and the text between them, or up to the end when the tag is not closed;
 * - `[[reply_to_current]]` and the like;
 * - lines that begin with `MEDIA:` and name a file or an address;
 * - white space at both ends.
 */
export function spokenText(row: string): string {
  let text = row;
  if (text.includes("<")) text = withoutReasoning(withoutTags(text, FINAL_TAG));
  if (text.includes("[[")) text = withoutTags(text, DIRECTIVE);
  if (MEDIA_WORD.test(text)) text = withoutMedia(text);
  return text.trim();
}

const FINAL_TAG = /<\s*\/?\s*final(?:\s[^<>]*)?\/?\s*>/gi;
const DIRECTIVE = /\[\[\s*(?:audio_as_voice|reply_to_current|reply_to\s*:\s*[^\]\n]+)\s*\]\]/gi;
const REASONING_TAG = /<\s*(\/?)\s*(?:(?:antml:|mm:)?(?:think(?:ing)?|thought)|antthinking)\b[^<>]*>/gi;

/** `text` without the matches of `tag` outside code. */
function withoutTags(text: string, tag: RegExp): string {
  let code: readonly CodeRegion[] | undefined;
  return text.replace(tag, (found: string, ...rest) => {
    const at = rest.find((value) => typeof value === "number") as number;
    code ??= codeRegions(text);
    return isInCode(at, code) ? found : "";
  });
}

function withoutReasoning(text: string): string {
  const code = codeRegions(text);
  let spoken = "";
  let depth = 0;
  let from = 0;
  for (const { 0: tag, 1: slash, index } of text.matchAll(REASONING_TAG)) {
    if (isInCode(index, code)) continue;
    if (depth === 0) spoken += text.slice(from, index);
    if (slash === "") depth += 1;
    else if (depth > 0) depth -= 1;
    from = index + tag.length;
  }
  return depth === 0 ? spoken + text.slice(from) : spoken;
}

const MEDIA_WORD = /media:/i;
const MEDIA_LINE = /^\s*MEDIA:\s*`?([^\n]+)$/i;

/** The references in the `MEDIA:` lines of a row. Each is a path or an address. */
export function mediaReferences(row: string): readonly string[] {
  const references: string[] = [];
  if (MEDIA_WORD.test(row)) withoutMedia(row, references);
  return references;
}

/** Removes `MEDIA:` lines. Their references are added to `references`. */
function withoutMedia(text: string, references: string[] = []): string {
  const blocks = codeRegions(text).filter(({ isBlock }) => isBlock);
  const lines: string[] = [];
  let at = 0;
  let hasTaken = false;
  for (const line of text.split("\n")) {
    const isCode = isInCode(at, blocks);
    at += line.length + 1;
    const reference = isCode ? undefined : MEDIA_LINE.exec(line)?.[1];
    const read = reference === undefined ? undefined : readMedia(reference);
    if (read === undefined) lines.push(line);
    else {
      hasTaken = true;
      references.push(...read.references);
      if (read.beside !== "") lines.push(read.beside);
    }
  }
  return hasTaken ? lines.join("\n") : text;
}

interface MediaLine {
  readonly references: readonly string[];
  /** The part of the line that names no file. */
  readonly beside: string;
}

/** Reads a `MEDIA:` line. Undefined when the line is not a directive. */
function readMedia(reference: string): MediaLine | undefined {
  const trimmed = reference.trim();
  const one = (name: string): MediaLine => ({ references: [name], beside: "" });
  const quoted = /^(["'`])(.*)\1$/.exec(trimmed)?.[2]?.trim();
  if (quoted !== undefined) return isMedia(quoted) || isFileName(quoted) ? one(quoted) : undefined;
  const parts = trimmed.split(/\s+/);
  const media = parts.map(cleaned).filter(isMedia);
  const others = parts.filter((part) => !isMedia(cleaned(part)));
  // One path may contain blanks.
  if (others.length === parts.length - 1 && /^(?:file:|[/~.\\]|[a-z]:[\\/])/i.test(trimmed))
    return one(cleaned(trimmed));
  if (others.length < parts.length) return { references: media, beside: others.join(" ") };
  if (isFileName(cleaned(trimmed))) return one(cleaned(trimmed));
  // A path that may not be sent is removed, too.
  return /^(?:file:|\.\.?\/|[/~]|[a-z]:[\\/]|\\\\)/i.test(trimmed) ? one(cleaned(trimmed)) : undefined;
}

function cleaned(part: string): string {
  return part.replace(/^[`"'[{(]+/, "").replace(/[`"'\\})\],]+$/, "");
}

/** A path, or a public address. */
function isMedia(part: string): boolean {
  const path = part.replace(/^file:(?:\/\/)?/i, "");
  if (path === "" || path.length > 4_096) return false;
  if (/^https?:\/\//i.test(path)) return /^https:\/\/[^/@:\s]+\.[^/@:\s.]{2,}(?::\d+)?(?:\/|\?|#|$)/i.test(path);
  if (/^\.\.(?:\/|$)|[\\/]\.\.(?:[\\/]|$)|^~(?![\\/])/.test(path)) return false;
  if (/^(?:\/|\.\/|~[\\/]|[a-z]:[\\/]|\\\\)/i.test(path)) return true;
  return !/^[a-z][a-z0-9+.-]*:/i.test(path) && /[\\/]/.test(path);
}

function isFileName(part: string): boolean {
  return !/^[a-z][a-z0-9+.-]*:/i.test(part) && /\.\w{1,10}$/.test(part) && !/^\.\.|^~/.test(part);
}
