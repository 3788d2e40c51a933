import { TextReader } from "../protocol/text.ts";
import type { ChatEvent } from "../types.ts";

interface LateText {
  readonly reader: TextReader;
  text: string;
}

/** Bytes of memory for all of them, at two bytes a character. The oldest are let go of first. */
const MAX_BYTES = 16_777_216;

/**
 * The texts of runs that were given up (errored, aborted, expired), for a final that still comes and has no text of its
 * own: then their deltas are its text.
 */
export class LateTexts {
  /** Oldest first. */
  private readonly texts = new Map<string, LateText>();
  private bytes = 0;

  /** A run was given up, with this text and what reads its deltas. */
  keep(key: string, text: string, reader: TextReader): void {
    this.take(key);
    this.put(key, { reader, text });
  }

  /** A delta came after the end. */
  read(key: string, event: ChatEvent): void {
    const late = this.texts.get(key) ?? { reader: new TextReader(), text: "" };
    this.take(key);
    late.text = late.reader.read(event, late.text);
    this.put(key, late);
  }

  /** The text so far. */
  textOf(key: string): string {
    return this.texts.get(key)?.text ?? "";
  }

  /** The text so far, which is forgotten. */
  take(key: string): string {
    const late = this.texts.get(key);
    if (late === undefined) return "";
    this.texts.delete(key);
    this.bytes -= size(late);
    return late.text;
  }

  clear(): void {
    this.texts.clear();
    this.bytes = 0;
  }

  private put(key: string, late: LateText): void {
    this.texts.set(key, late);
    this.bytes += size(late);
    for (const oldest of this.texts.keys()) {
      if (this.bytes <= MAX_BYTES) break;
      this.take(oldest);
    }
  }
}

/** An empty text takes up room, too. */
function size({ text }: LateText): number {
  return 2 * text.length + 200;
}
