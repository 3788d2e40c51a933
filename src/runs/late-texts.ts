import { TextReader } from "../protocol/text.ts";
import type { ChatEvent } from "../types.ts";

interface LateText {
  readonly reader: TextReader | undefined;
  text: string;
}

/**
 * The texts of runs that have settled, for what still comes of them. Of one that was given up (errored, aborted,
 * expired), a final without a text of its own has that of the deltas. Of one that was dispatched, a second final is
 * compared with what was handed over.
 */
export class LateTexts {
  /** Oldest first. */
  private readonly texts = new Map<string, LateText>();
  private readonly maxBytes: number;
  private bytes = 0;

  /** `maxBytes` of memory for all of them, at two bytes a character. The oldest are let go of first. */
  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  /** A run has settled with this text. `reader`: what reads its deltas. */
  keep(key: string, text: string, reader?: TextReader): void {
    this.take(key);
    this.put(key, { reader, text });
  }

  /** A delta came after the end. */
  read(key: string, event: ChatEvent): void {
    const { reader = new TextReader(), text = "" } = this.texts.get(key) ?? {};
    this.keep(key, reader.read(event, text), reader);
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
      if (this.bytes <= this.maxBytes) break;
      this.take(oldest);
    }
  }
}

/** An empty text takes up room, too. */
function size({ text }: LateText): number {
  return 2 * text.length + 200;
}
