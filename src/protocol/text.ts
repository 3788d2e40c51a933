import type { ChatEvent } from "../types.ts";

/** A frame of the largest size cannot hold more text blocks. */
const MAX_BLOCKS = 1_000_000;

/**
 * The text of a Gateway message. `content` is a string, or blocks; the blocks with `type: "text"` are joined without a
 * separator. Undefined when there is no text.
 *
 * @throws {RangeError} for more blocks than a frame can hold: an array from a host may be endless.
 */
export function messageText(message: unknown): string | undefined {
  if (typeof message === "string") return message;
  if (typeof message !== "object" || message === null) return undefined;
  return contentText((message as { content?: unknown }).content);
}

/** The text of the `content` of a message. */
export function contentText(content: unknown): string | undefined {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return undefined;
  const { length } = content;
  if (length > MAX_BLOCKS) throw new RangeError("Too many blocks");
  if (length === 1) return blockText(content[0]);
  let text: string | undefined;
  for (let i = 0; i < length; i++) {
    const piece = blockText(content[i]);
    if (piece !== undefined) text = text === undefined ? piece : text + piece;
  }
  return text;
}

function blockText(block: unknown): string | undefined {
  if (typeof block !== "object" || block === null) return undefined;
  const { type, text } = block as { type?: unknown; text?: unknown };
  return type === "text" && typeof text === "string" ? text : undefined;
}

/** When a message begins with the whole previous message and that is at least this long, the messages are snapshots. */
const CERTAIN_CHARS = 4;

/**
 * When messages grew once and then repeat, more than this many characters of them in all show that they are snapshots.
 */
const CERTAIN_REPEATS_CHARS = 4_096;

/**
 * Up to how many pieces a text may consist of before they are joined: this many, and one more for each 64 characters.
 * V8 stores an appended text as a chain of its pieces, at 32 bytes or more each.
 */
const LOOSE_PIECES = 16;
const CHARS_PER_PIECE = 64;

/**
 * Assembles the text of one run from its deltas, for every generation of senders:
 *
 * - `message` beside `deltaText` (protocol 4): `message` is the text so far. It is always right, even when this
 *   connection joined midway or missed a delta.
 * - `deltaText` alone: the pieces are appended.
 * - `replace: true`: the text is `deltaText`; everything before is forgotten.
 * - `message` alone: either the text so far, or only a piece of it. Both readings are kept until the messages show
 *   which one is right.
 */
export class TextReader {
  private form: "open" | "snapshots" | "pieces" = "open";
  /** The last message, and all of them joined. They are kept while `form` is open. */
  private last = "";
  private inARow = "";
  private grew = false;
  /** How many pieces were appended since the text was last in one piece. */
  private pieces = 0;

  /** Reads one delta and returns the text so far. `before` is the text before it. */
  read(event: Pick<ChatEvent, "deltaText" | "messageText" | "replace">, before: string): string {
    const { deltaText, messageText, replace } = event;
    if (replace === true) return this.restart(deltaText ?? messageText ?? "");
    if (deltaText !== undefined) return messageText ?? this.append(before, deltaText);
    return messageText === undefined ? before : this.readMessage(messageText, before);
  }

  private append(before: string, piece: string): string {
    const text = before + piece;
    this.pieces += 1;
    if (this.pieces > LOOSE_PIECES + text.length / CHARS_PER_PIECE) {
      // V8 joins the pieces of a text when it is searched. The result is used, because V8 would not compute an unused
      // one.
      this.pieces = text.indexOf(piece, text.length - piece.length) < 0 ? 1 : 0;
    }
    return text;
  }

  private restart(text: string): string {
    this.last = text;
    this.inARow = text;
    return text;
  }

  private readMessage(message: string, before: string): string {
    if (this.form === "snapshots") return message;
    return this.form === "pieces" ? this.append(before, message) : this.weigh(message, before);
  }

  private weigh(message: string, before: string): string {
    const { last } = this;
    const extendsLast = message.length > last.length && message.startsWith(last);
    this.last = message;
    this.inARow = this.append(this.inARow, message);
    if (last === "") return before + message;
    if (extendsLast) {
      this.grew = true;
      if (last.length >= CERTAIN_CHARS) this.decideOn("snapshots");
      return message;
    }
    const { inARow } = this;
    if (message !== last) {
      this.decideOn("pieces");
      return inARow;
    }
    // Equal messages prove nothing: a sender of snapshots may repeat one, and "ha" "ha" may be two pieces.
    if (!this.grew) return inARow;
    if (inARow.length > CERTAIN_REPEATS_CHARS) this.decideOn("snapshots");
    return before;
  }

  private decideOn(form: "snapshots" | "pieces"): void {
    this.form = form;
    this.last = "";
    this.inARow = "";
  }
}

/** How a Gateway ends a text that it has cut, and from how many characters on it cuts. */
const CUT_ENDING = "\n...(truncated)...";
const CUT_CHARS = 8_000;

/**
 * Whether a Gateway has cut `text` for display. The mark `__openclaw` of the message says so. Before 2026.8 there is no
 * mark; then the ending of the text decides.
 */
export function isCut(text: string, mark: Readonly<Record<string, unknown>>): boolean {
  return mark["truncated"] === true || (text.length >= CUT_CHARS && text.endsWith(CUT_ENDING));
}

/** The part that a Gateway left of a text it has cut. */
export function cutBeginning(text: string): string {
  return text.endsWith(CUT_ENDING) ? text.slice(0, -CUT_ENDING.length) : text;
}
