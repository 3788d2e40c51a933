import type { ChatEvent, EventEffect } from "../types.ts";
import { beginningOf } from "./shown-text.ts";
import type { Timeline, TimelineEntry } from "./update.ts";

type What = TimelineEntry["what"];
type EventWhat = Extract<What, { kind: "event" }>;

/** Entries of one run that are told at most, and how many of them are its first. */
const MOST_TOLD = 200;
const TOLD_FIRST = 4;
const STATE_CHARS = 40;

/** The numbers of one entry, but for its time. */
const FIELDS = 5;
const RUN = 0;
/** The kind of event, as {@link codeOf} has it; {@link OTHER}: its object tells all of it. */
const CODE = 1;
const SEQ = 2;
const NO_SEQ = -(2 ** 31);
/** The length of the text after it, below 0 if it told none, and by how much that changed. */
const CHARS = 3;
const GAINED = 4;

const states: readonly string[] = ["delta", "final", "error", "aborted", "status"];
const effects: readonly EventEffect[] = ["taken", "duplicate", "after-end", "unknown-state"];
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
  private readonly size: number;
  private readonly numbers: Int32Array;
  private readonly times: Float64Array;
  /** By place: of an event the piece of text that it brought, if it is to be told; of other entries what they are. */
  private readonly objects = new Map<number, What | string>();
  private hasPieces = false;
  private added = 0;

  /** Keeps the latest `size` entries. */
  constructor(size: number) {
    this.size = size;
    this.numbers = new Int32Array(size * FIELDS);
    this.times = new Float64Array(size);
  }

  add(run: number, at: number, what: What): void {
    this.put(run, at, OTHER, 0, 0, 0, what);
  }

  /** Adds an event. `chars` below 0: it told no text. `piece`: the text it brought, if that is to be told. */
  addEvent(
    run: number,
    at: number,
    event: ChatEvent,
    effect: EventEffect,
    chars: number,
    gained: number,
    piece?: string,
  ): void {
    const code = codeOf(event, effect);
    if (piece !== undefined) this.hasPieces = true;
    if (code !== OTHER) return this.put(run, at, code, event.seq ?? NO_SEQ, chars, gained, piece);
    const { state, seq } = event;
    const what = { kind: "event", state: beginningOf(state, STATE_CHARS), effect } as const;
    this.add(run, at, seq === undefined ? what : { ...what, seq });
  }

  /** What is still here of a run that has had `total` entries: its first few and the latest. */
  timelineOf(run: number, startedAt: number, total: number): Timeline {
    const places = this.placesOf(run);
    // Once its first entries are overwritten, the latest are all there is.
    const droppedAfter = places.length < total ? 0 : TOLD_FIRST;
    if (places.length > MOST_TOLD) places.splice(droppedAfter, places.length - MOST_TOLD);
    const entries = places.map((place) => ({ afterMs: (this.times[place] ?? 0) - startedAt, what: this.what(place) }));
    return { entries, dropped: total - entries.length, droppedAfter };
  }

  private placesOf(run: number): number[] {
    const places: number[] = [];
    for (let index = Math.max(0, this.added - this.size); index < this.added; index += 1) {
      const place = index % this.size;
      if (this.number(place, RUN) === run) places.push(place);
    }
    return places;
  }

  private what(place: number): What {
    const object = this.objects.get(place);
    if (typeof object === "object") return object;
    const seq = this.number(place, SEQ);
    const chars = this.number(place, CHARS);
    return {
      ...kindOf(this.number(place, CODE)),
      ...(seq !== NO_SEQ && { seq }),
      ...(chars >= 0 && { chars, gained: this.number(place, GAINED) }),
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
    gained: number,
    object: What | string | undefined,
  ): void {
    const place = this.added % this.size;
    const { numbers } = this;
    if (this.hasPieces || numbers[place * FIELDS + CODE] === OTHER) this.objects.delete(place);
    if (object !== undefined) this.objects.set(place, object);
    this.times[place] = at;
    numbers[place * FIELDS + RUN] = run;
    numbers[place * FIELDS + CODE] = code;
    numbers[place * FIELDS + SEQ] = seq;
    numbers[place * FIELDS + CHARS] = chars;
    numbers[place * FIELDS + GAINED] = gained;
    this.added += 1;
  }
}

/** State, effect and flags in one number; {@link OTHER} for a state or a `seq` that no Gateway is known to send. */
function codeOf({ state, seq = 0, replace, recovered }: ChatEvent, effect: EventEffect): number {
  const known = states.indexOf(state);
  if (known < 0 || seq !== (seq | 0)) return OTHER;
  const flags = (replace === true ? REPLACED : 0) + (recovered === true ? RECOVERED : 0);
  return (known * effects.length + effects.indexOf(effect)) * FLAGS + flags;
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
