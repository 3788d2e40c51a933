import type { ChatEvent, EventEffect, RunProgress } from "../types.ts";
import { beginningOf } from "./shown-text.ts";
import type { Timeline, TimelineEntry } from "./update.ts";

type What = TimelineEntry["what"];
type EventWhat = Extract<What, { kind: "event" }>;

/** Entries of one run that are told at most, and how many of them are its first. */
const MOST_TOLD = 200;
const TOLD_FIRST = 4;
const STATE_CHARS = 40;
/** How much of the text that an event brought is told, in characters. */
const PIECE_CHARS = 200;

/** The numbers of one entry. */
const FIELDS = 5;
/** Of a run's delta the run's number, below 0; of everything else its id. */
const RUN = 0;
/** State, effect and flags of an event in one; {@link OTHER}: its object tells all of it. */
const CODE = 1;
const SEQ = 2;
const NO_SEQ = Number.NaN;
/** The length of the text after it. */
const CHARS = 3;
const TELLS_NO_TEXT = -1;
const AT = 4;

const states: readonly string[] = ["delta", "final", "error", "aborted", "status"];
const effects: readonly EventEffect[] = ["taken", "duplicate", "after-end", "unknown-state"];
/** The code of a delta that was taken, but for its flags. */
const DELTA = 0;
const FLAGS = 4;
const REPLACED = 2;
const RECOVERED = 1;
const OTHER = -1;

/**
 * What happened to all runs, in the order in which it did; the newest entry takes the place of the oldest.
 * Thousands of events a second come. With a list for each run, every one of them would be written
 * somewhere else; here it is a few numbers beside those of the last.
 */
export class Journal {
  private added = 0;
  private readonly size: number;
  private readonly showText: boolean;
  private readonly numbers: Float64Array;
  /** By place: of an event the piece of text that it brought, if it is to be told; of other entries what they are. */
  private readonly objects = new Map<number, What | string>();

  /** Keeps the latest `size` entries; with `showText` also the text that an event brought. */
  constructor(size: number, showText: boolean) {
    this.size = size;
    this.showText = showText;
    this.numbers = new Float64Array(size * FIELDS);
  }

  /** Adds what is no event. `chars`: the length of the text after it, if it tells one. */
  add(id: number, at: number, what: What, chars = TELLS_NO_TEXT): void {
    this.put(id, at, OTHER, 0, chars, what);
  }

  /** Adds a delta that this run has taken. */
  addDelta({ number, chars }: RunProgress, at: number, event: ChatEvent): void {
    const piece = this.showText ? pieceOf(event) : undefined;
    this.put(-number, at, DELTA + flagsOf(event), event.seq ?? NO_SEQ, chars, piece);
  }

  /** Adds any other event. */
  addEvent(id: number, at: number, event: ChatEvent, effect: EventEffect, chars = TELLS_NO_TEXT): void {
    const { state, seq } = event;
    const known = states.indexOf(state);
    if (known < 0) {
      const what = { kind: "event", state: beginningOf(state, STATE_CHARS), effect } as const;
      return this.add(id, at, seq === undefined ? what : { ...what, seq });
    }
    const code = (known * effects.length + effects.indexOf(effect)) * FLAGS + flagsOf(event);
    this.put(id, at, code, seq ?? NO_SEQ, chars, this.showText ? pieceOf(event) : undefined);
  }

  /** What is still here of a run that has had `total` entries: its first few and the latest. */
  timelineOf(id: number, runNumber: number, startedAt: number, total: number): Timeline {
    const places = this.placesOf(id, -runNumber);
    const isWhole = places.length >= total;
    // Once its first entries are overwritten, the latest are all there is.
    const droppedAfter = isWhole ? TOLD_FIRST : 0;
    const toldFrom = droppedAfter + Math.max(0, places.length - MOST_TOLD);
    const entries: TimelineEntry[] = [];
    let chars = isWhole ? 0 : undefined;
    for (const [i, place] of places.entries()) {
      const afterMs = this.number(place, AT) - startedAt;
      if (i < droppedAfter || i >= toldFrom) entries.push({ afterMs, what: this.what(place, chars) });
      if (this.number(place, CHARS) !== TELLS_NO_TEXT) chars = this.number(place, CHARS);
    }
    return { entries, dropped: total - entries.length, droppedAfter };
  }

  private placesOf(id: number, ofDeltas: number): number[] {
    const places: number[] = [];
    for (let index = Math.max(0, this.added - this.size); index < this.added; index += 1) {
      const place = index % this.size;
      const run = this.number(place, RUN);
      if (run === id || run === ofDeltas) places.push(place);
    }
    return places;
  }

  /** `before`: the length of the text before it, where that is known. */
  private what(place: number, before: number | undefined): What {
    const object = this.objects.get(place);
    if (typeof object === "object") return object;
    const seq = this.number(place, SEQ);
    const chars = this.number(place, CHARS);
    return {
      ...kindOf(this.number(place, CODE)),
      ...(!Number.isNaN(seq) && { seq }),
      ...(chars !== TELLS_NO_TEXT && { chars, ...(before !== undefined && { gained: chars - before }) }),
      ...(object !== undefined && { text: object }),
    };
  }

  private number(place: number, field: number): number {
    return this.numbers[place * FIELDS + field] ?? 0;
  }

  private put(
    run: number,
    at: number,
    code: number,
    seq: number,
    chars: number,
    object: What | string | undefined,
  ): void {
    const place = this.added % this.size;
    const { numbers } = this;
    if (this.showText || numbers[place * FIELDS + CODE] === OTHER) this.objects.delete(place);
    if (object !== undefined) this.objects.set(place, object);
    numbers[place * FIELDS + RUN] = run;
    numbers[place * FIELDS + CODE] = code;
    numbers[place * FIELDS + SEQ] = seq;
    numbers[place * FIELDS + CHARS] = chars;
    numbers[place * FIELDS + AT] = at;
    this.added += 1;
  }
}

function flagsOf({ replace, recovered }: ChatEvent): number {
  return (replace === true ? REPLACED : 0) + (recovered === true ? RECOVERED : 0);
}

/** The beginning of the text that an event brought. */
function pieceOf({ deltaText, messageText }: ChatEvent): string | undefined {
  const text = deltaText ?? messageText;
  return text === undefined ? undefined : beginningOf(text, PIECE_CHARS);
}

function kindOf(code: number): EventWhat {
  const kind = Math.floor(code / FLAGS);
  return {
    kind: "event",
    state: states[Math.floor(kind / effects.length)] ?? "",
    effect: effects[kind % effects.length] ?? "taken",
    ...((code & REPLACED) !== 0 && { replaced: true }),
    ...((code & RECOVERED) !== 0 && { recovered: true }),
  };
}
