import type { EventEffect } from "../types.ts";
import type { TimelineEntry } from "./update.ts";

type What = TimelineEntry["what"];
type EventWhat = Extract<What, { kind: "event" }>;

/** Entries that are kept from the beginning of a timeline, however long it gets. */
const KEPT_FIRST = 4;
/** How far a timeline may grow beyond its limit before it is cut, so that not every entry moves all others. */
const SLACK = 1.25;

/** The numbers of one entry: when, what (or that it is an object), and for events the rest of it. */
const FIELDS = 5;
const states: readonly string[] = ["status", "delta", "final", "error", "aborted"];
const effects: readonly EventEffect[] = ["taken", "duplicate", "after-end", "unknown-state"];
const IS_OBJECT = -1;
const NONE = -1;

/**
 * What happened to one run, bounded: the first few entries and the latest ones. Plain events are kept
 * as numbers: thousands a second come, are held for minutes and go, and as objects they would keep
 * the garbage collector busy.
 */
export class Timeline {
  private readonly numbers: number[] = [];
  /** The entries that are not plain events, by the number that stands for them. */
  private readonly objects = new Map<number, What>();
  private lastObject = 0;
  private limit = 0;
  private letGo = 0;

  /** Adds an entry; beyond `limit` of them (more than the first few), those after the first few are let go. */
  add(afterMs: number, what: What, limit: number): void {
    this.lastObject += 1;
    this.objects.set(this.lastObject, what);
    this.push(afterMs, IS_OBJECT, this.lastObject, NONE, 0, limit);
  }

  /** As {@link add}, for an event that has nothing but what is told here. `chars` below 0: it told no text. */
  addEvent(
    afterMs: number,
    state: string,
    effect: EventEffect,
    seq: number | undefined,
    chars: number,
    gained: number,
    limit: number,
  ): void {
    const known = states.indexOf(state);
    if (known < 0 || (seq !== undefined && !(seq >= 0)))
      return this.add(afterMs, eventOf(state.slice(0, 40), effect, seq ?? NONE, chars, gained), limit);
    const code = known * effects.length + effects.indexOf(effect);
    this.push(afterMs, code, seq ?? NONE, chars, gained, limit);
  }

  /** The entries that are kept, and how many were let go. */
  read(): { readonly entries: readonly TimelineEntry[]; readonly dropped: number } {
    this.cut();
    const entries: TimelineEntry[] = [];
    for (let at = 0; at < this.numbers.length; at += FIELDS) {
      const [afterMs = 0, code = 0, seq = NONE, chars = NONE, gained = 0] = this.numbers.slice(at, at + FIELDS);
      const what = code === IS_OBJECT ? this.objects.get(seq) : plainEvent(code, seq, chars, gained);
      if (what !== undefined) entries.push({ afterMs, what });
    }
    return { entries, dropped: this.letGo };
  }

  private push(afterMs: number, code: number, seq: number, chars: number, gained: number, limit: number): void {
    this.limit = limit;
    this.numbers.push(afterMs, code, seq, chars, gained);
    if (this.numbers.length > limit * SLACK * FIELDS) this.cut();
  }

  private cut(): void {
    const excess = this.numbers.length / FIELDS - this.limit;
    if (excess <= 0) return;
    const gone = this.numbers.splice(KEPT_FIRST * FIELDS, excess * FIELDS);
    for (let at = 0; at < gone.length; at += FIELDS) {
      if (gone[at + 1] === IS_OBJECT) this.objects.delete(gone[at + 2] ?? NONE);
    }
    this.letGo += excess;
  }
}

function plainEvent(code: number, seq: number, chars: number, gained: number): EventWhat {
  const state = states[Math.floor(code / effects.length)] ?? "";
  return eventOf(state, effects[code % effects.length] ?? "taken", seq, chars, gained);
}

function eventOf(state: string, effect: EventEffect, seq: number, chars: number, gained: number): EventWhat {
  return {
    kind: "event",
    state,
    effect,
    ...(seq !== NONE && { seq }),
    ...(chars !== NONE && { chars, gained }),
  };
}
