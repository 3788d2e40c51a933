import type { ChatEvent, EventEffect, RunProgress } from "../types.ts";
import { beginningOf } from "./truncate.ts";
import type { Timeline, TimelineEntry } from "./wire.ts";

type What = TimelineEntry["what"];
type EventWhat = Extract<What, { kind: "event" }>;

/** How many entries of one run are shown, and how many of them are its first ones. */
const MOST_TOLD = 200;
const TOLD_FIRST = 4;
const STATE_CHARS = 40;
/** How many characters of an event's text are shown. */
const PIECE_CHARS = 200;

/** How many numbers an entry has. */
const FIELDS = 5;
/** Where the run's number is. */
const RUN = 0;
/**
 * Where the code is. It has state, effect and flags of an event in one number. {@link JOINED} and {@link OTHER} are
 * special codes; the latter is for an entry that is an object.
 */
const CODE = 1;
const SEQ = 2;
const NO_SEQ = Number.NaN;
/** Where the text's length after the event is. */
const CHARS = 3;
const TELLS_NO_TEXT = -1;
const AT = 4;

const states: readonly string[] = ["delta", "final", "error", "aborted", "status"];
const effects: readonly EventEffect[] = ["taken", "duplicate", "after-end", "unknown-state"];
/** The code of an applied delta, without its flags. */
const DELTA = 0;
const FLAGS = 8;
const HAS_PIECE = 4;
const REPLACED = 2;
const RECOVERED = 1;
const OTHER = -1;
const JOINED = -2;

/**
 * What happened to all runs, in order. A new entry overwrites the oldest. Thousands of events a second come, so an
 * entry is a few numbers in one array. A list for each run would write to many places in memory.
 */
export class Journal {
  /** How many deltas were added. */
  deltas = 0;
  private readonly showText: boolean;
  private readonly numbers: Float64Array;
  /** Where the next entry begins, and whether an old entry is there. */
  private next = 0;
  private isFull = false;
  /**
   * Objects by the position of their entry: the piece of text of an event, or the whole {@link OTHER} entry. At other
   * positions the object is out of date.
   */
  private readonly objects = new Map<number, What | string>();

  /** Keeps the latest `size` entries. With `showText` it also keeps pieces of text. */
  constructor(size: number, showText: boolean) {
    this.showText = showText;
    this.numbers = new Float64Array(size * FIELDS);
  }

  /** Adds that a run had begun before the watching. */
  addJoined({ number, chars }: RunProgress, at: number): void {
    this.put(number, at, JOINED, undefined, chars);
  }

  /** Adds something that is not an event. */
  add(run: number, at: number, what: What): void {
    this.objects.set(this.next, what);
    this.put(run, at, OTHER, undefined, TELLS_NO_TEXT);
  }

  /** Adds an applied delta. It reads only what the caller has just used, because memory access would cost time here. */
  delta(progress: RunProgress, event: ChatEvent, at: number): void {
    const code = DELTA + flagsOf(event);
    // Calling `keepPiece` for each delta would cost 0.1 µs.
    this.put(progress.number, at, this.showText ? code + this.keepPiece(event) : code, event.seq, progress.chars);
    this.deltas += 1;
  }

  /** Adds any other event. */
  addEvent(run: number, at: number, event: ChatEvent, effect: EventEffect, chars = TELLS_NO_TEXT): void {
    const { state, seq } = event;
    const known = states.indexOf(state);
    if (known < 0) {
      const what = { kind: "event", state: beginningOf(state, STATE_CHARS), effect } as const;
      return this.add(run, at, seq === undefined ? what : { ...what, seq });
    }
    const kind = (known * effects.length + effects.indexOf(effect)) * FLAGS;
    this.put(run, at, kind + flagsOf(event) + this.keepPiece(event), seq, chars);
  }

  /** What is still here of a run that has had `total` entries: the first few and the latest. */
  timelineOf(run: number, startedAt: number, total: number): Timeline {
    const places = this.placesOf(run);
    const isWhole = places.length >= total;
    // When its first entries are overwritten, only the latest are left.
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

  /**
   * Where the run's entries are, since it was last joined. Entries of an earlier watch are left out, because events
   * between the watches are missing.
   */
  private placesOf(run: number): number[] {
    const { numbers, next, isFull } = this;
    let places: number[] = [];
    const collect = (from: number, to: number) => {
      for (let place = from; place < to; place += FIELDS) {
        if (numbers[place + RUN] !== run) continue;
        if (numbers[place + CODE] === JOINED) places = [];
        places.push(place);
      }
    };
    if (isFull) collect(next, numbers.length);
    collect(0, next);
    return places;
  }

  /** `before`: the length of the text before the event, if it is known. */
  private what(place: number, before: number | undefined): What {
    const code = this.number(place, CODE);
    const seq = this.number(place, SEQ);
    const chars = this.number(place, CHARS);
    const object = this.objects.get(place);
    if (code === JOINED) return { kind: "joined", chars };
    if (code === OTHER && typeof object === "object") return object;
    return {
      ...kindOf(code),
      ...(!Number.isNaN(seq) && { seq }),
      ...(chars !== TELLS_NO_TEXT && { chars, ...(before !== undefined && { gained: chars - before }) }),
      ...((code & HAS_PIECE) !== 0 && typeof object === "string" && { text: object }),
    };
  }

  private number(place: number, field: number): number {
    return this.numbers[place + field] ?? 0;
  }

  private put(run: number, at: number, code: number, seq: number | undefined, chars: number): void {
    const { numbers, next } = this;
    numbers[next + RUN] = run;
    numbers[next + CODE] = code;
    numbers[next + SEQ] = seq ?? NO_SEQ;
    numbers[next + CHARS] = chars;
    numbers[next + AT] = at;
    this.next = next + FIELDS;
    if (this.next < numbers.length) return;
    this.next = 0;
    this.isFull = true;
  }

  /** Keeps the beginning of the event's text, if there is one. Returns the flag that says so. */
  private keepPiece({ deltaText, messageText }: ChatEvent): number {
    const text = this.showText ? (deltaText ?? messageText) : undefined;
    if (text === undefined) return 0;
    this.objects.set(this.next, beginningOf(text, PIECE_CHARS));
    return HAS_PIECE;
  }
}

function flagsOf({ replace, recovered }: ChatEvent): number {
  return (replace === true ? REPLACED : 0) + (recovered === true ? RECOVERED : 0);
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
