import type { Clock } from "../kit/clock.ts";
import { ExpiringMap } from "../kit/expiring-map.ts";
import { TextReader } from "../protocol/text.ts";
import type { ChatEvent } from "../types.ts";

interface LateText {
  readonly reader: TextReader | undefined;
  readonly text: string;
}

/** Bounds of {@link LateTexts}. */
export interface LateTextsOptions {
  readonly clock: Clock;
  /** How long a text is kept, in ms: as long as its run is remembered. `0` keeps nothing. */
  readonly windowMs: number;
  /** The most memory for all texts, in bytes, at two bytes a character. Beyond it the oldest are dropped. */
  readonly maxBytes: number;
}

/**
 * The texts of runs that were given up (errored, aborted, expired), kept for events that still come. Such a run may end
 * in a final without text: that final has the text of the deltas.
 */
export class LateTexts {
  private readonly texts: ExpiringMap<LateText>;

  constructor({ clock, windowMs, maxBytes }: LateTextsOptions) {
    this.texts = new ExpiringMap({
      clock,
      windowMs,
      maxKeys: Number.POSITIVE_INFINITY,
      maxSize: maxBytes,
      // An entry with an empty text takes memory, too.
      sizeOf: ({ text }) => 2 * text.length + 200,
    });
  }

  /** A run has settled with this text. `reader` assembles its deltas. */
  keep(key: string, text: string, reader?: TextReader): void {
    this.texts.set(key, { reader, text });
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

  /** The text so far. It is forgotten. */
  take(key: string): string {
    const text = this.textOf(key);
    this.texts.delete(key);
    return text;
  }

  clear(): void {
    this.texts.clear();
  }
}
