import { type Clock, neverBack } from "../kit/clock.ts";
import { startTimer, type Timer } from "../kit/timer.ts";
import { TextReader } from "../protocol/text.ts";
import type { ChatEvent } from "../types.ts";

interface LateText {
  readonly reader: TextReader | undefined;
  readonly text: string;
  /** When it was stored, in ms by `clock`. */
  readonly at: number;
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
 * The texts of settled runs, kept for events that still come. A run that was given up (errored, aborted, expired) may
 * end in a final without text: that final has the text of the deltas. The second final of a dispatched run is compared
 * with the message.
 */
export class LateTexts {
  /** Oldest first. */
  private readonly texts = new Map<string, LateText>();
  private readonly options: LateTextsOptions;
  private readonly now: () => number;
  private bytes = 0;
  private timer: Timer | undefined;

  constructor(options: LateTextsOptions) {
    this.options = options;
    this.now = neverBack(options.clock);
  }

  /** A run has settled with this text. `reader` assembles its deltas. */
  keep(key: string, text: string, reader?: TextReader): void {
    this.take(key);
    if (this.options.windowMs > 0) this.put(key, { reader, text, at: this.now() });
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
    const late = this.texts.get(key);
    if (late === undefined) return "";
    this.texts.delete(key);
    this.bytes -= size(late);
    return late.text;
  }

  clear(): void {
    this.texts.clear();
    this.bytes = 0;
    this.timer?.cancel();
    this.timer = undefined;
  }

  private put(key: string, late: LateText): void {
    this.texts.set(key, late);
    this.bytes += size(late);
    for (const oldest of this.texts.keys()) {
      if (this.bytes <= this.options.maxBytes) break;
      this.take(oldest);
    }
    this.sweepLater(this.options.windowMs);
  }

  private sweepLater(ms: number): void {
    this.timer ??= startTimer(this.options.clock, ms, () => this.sweep());
  }

  private sweep(): void {
    this.timer = undefined;
    const aged = this.now() - this.options.windowMs;
    for (const [key, { at }] of this.texts) {
      if (at > aged) return this.sweepLater(at - aged);
      this.take(key);
    }
  }
}

/** An entry with an empty text takes memory, too. */
function size({ text }: LateText): number {
  return 2 * text.length + 200;
}
