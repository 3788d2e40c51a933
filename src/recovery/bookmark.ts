import { createHash } from "node:crypto";
import type { Clock } from "../kit/clock.ts";
import { startTimer, type Timer } from "../kit/timer.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { fields, isTime, readId } from "../protocol/fields.ts";
import type { SessionRow } from "../protocol/transcript-row.ts";
import { type Address, addressName } from "./sessions/address.ts";
import type { ListedSession } from "./sessions/session-list.ts";

/**
 * A place in the transcript of a session. The row's id is exact. The other fields are hints, for when that row is gone.
 */
export interface Place {
  readonly rowId?: string | undefined;
  readonly seq?: number | undefined;
  /** When the last event up to here was written, in ms since the epoch by the Gateway's clock. */
  readonly at?: number | undefined;
  /** The id of the session's current life. */
  readonly sessionId?: string | undefined;
  /** The last run up to here, when no row is known. */
  readonly lastRunId?: string | undefined;
}

/** How far a session has been heard, according to a live event. */
export interface HeardRow {
  readonly place?: Place | undefined;
  /** The `fingerprint` of {@link ListedSession}, if the event has one. */
  readonly fingerprint?: string | undefined;
  /**
   * A run that has begun or may end here. The bookmark stays before it until `ended` is called for the run.
   */
  readonly opens?: string | undefined;
  /** The place before that run. Default: the last place that was heard. */
  readonly before?: Place | undefined;
}

/** What a {@link Bookmark} needs. */
export interface BookmarkOptions {
  readonly gateway: string;
  readonly ledger: Pick<Ledger, "cursor" | "setCursor">;
  readonly clock: Clock;
  readonly maxSessions: number;
}

/** How far one session has been heard. */
interface Mark {
  /** Everything up to here has been reported. The ledger stores this. */
  done: Place;
  /** The session's fingerprint at that time. */
  seen: string;
  /** The latest place that was heard. */
  heard: Place;
  heardAs: string;
  /** When an event of it was last heard, by our clock. */
  heardAt?: number;
  /** The runs whose ends are not reported yet, each with the place before it. */
  readonly open: Map<string, Place>;
  /** The earliest of these places. */
  before?: Place | undefined;
  /** The round in which the session was last known to be complete. */
  round: number;
}

/** The time by the Gateway's clock up to which sessions without a mark have been heard. */
interface Met {
  /** A whole list of sessions has been read. A session that is not in it is new. */
  readonly all: boolean;
  readonly at: number;
  /** The Gateway's clock minus ours. */
  readonly offset: number;
}

/** How many ledger entries hold the marks. A change rewrites only one of them. */
const SHARDS = 64;
/** How long after a change it is saved, in ms. After a crash, this much is read again. */
const SAVE_AFTER_MS = 1_000;
/** If the last event came less than this before the loss of a connection, in ms, others of that moment may be missing. */
const SAME_TIME_MS = 1_000;
/**
 * How long after a row is written it may be sent, in ms. Events of other sessions may be heard in between. The
 * recordings of an idle Gateway show up to 54 ms.
 */
const SENT_WITHIN_MS = 10_000;
/** How far apart clocks may run before their times are ignored, in ms. */
const TOLERANCE_MS = 60_000;

/**
 * How far each session of one Gateway has been heard. It is stored in the ledger. A place is a row and not a time,
 * because clocks can be set and rows cannot. It never passes the end of a run that was not reported.
 */
export class Bookmark {
  private readonly options: BookmarkOptions;
  /** By the name of the session's address, in the order of the last change. */
  private readonly marks = new Map<string, Mark>();
  private met: Met | undefined;
  /** Sessions without a mark that were first heard in this round, before they were listed. */
  private readonly unlisted = new Map<string, Address>();
  /** Sessions that must be read again, because an end in them could not be looked up. */
  private readonly doubted = new Set<string>();
  private loaded = false;
  private stopped = false;
  private round = 0;
  /** The last round has found everything, and the connection was not lost since then. */
  private isWhole = false;
  private readonly changed = new Set<number>();
  private metChanged = false;
  private timer: Timer | undefined;
  /** The Gateway's clock minus ours, when it was last compared. */
  private offset: number | undefined;

  constructor(options: BookmarkOptions) {
    this.options = options;
  }

  /** Reads the marks from the ledger, once. Rejects when the ledger does. */
  async load(): Promise<void> {
    if (this.loaded) return;
    const { ledger, gateway } = this.options;
    const shards = Array.from({ length: SHARDS }, (_, shard) => ledger.cursor(shardName(gateway, shard)));
    const [met, ...kept] = await Promise.all([ledger.cursor(`heard ${gateway}`), ...shards]);
    if (this.loaded) return;
    this.loaded = true;
    this.met = readMet(parse(met));
    for (const [name, entry] of kept.flatMap((shard) => Object.entries(fields(parse(shard))))) {
      const mark = readMark(entry);
      if (mark !== undefined) this.marks.set(name, mark);
    }
  }

  /** A round through the sessions begins. Each session may be incomplete until it is checked. */
  beginRound(): void {
    this.round += 1;
    this.isWhole = false;
    this.unlisted.clear();
  }

  /** The connection is lost. Later events do not directly follow what was heard. */
  interrupt(): void {
    const now = this.options.clock.now();
    for (const [name, mark] of this.marks) {
      // Two rows of one millisecond have one fingerprint, and only the first may have come.
      if (mark.heardAt === undefined || now - mark.heardAt >= SAME_TIME_MS) continue;
      mark.seen = "";
      this.changed.add(shardOf(name));
    }
    this.beginRound();
    this.save();
  }

  /** Compares the clocks: the Gateway's is at `at`. */
  lookAtClock(at: number | undefined): void {
    if (at === undefined) return;
    this.offset = at - this.options.clock.now();
    if (this.met === undefined) this.meet({ all: false, at, offset: this.offset });
  }

  /** A time of our clock by the Gateway's. Undefined before the clocks were compared. */
  gatewayTime(at: number): number | undefined {
    return this.offset === undefined ? undefined : at + this.offset;
  }

  /** Every session was listed. Each one is complete, or will be read again. */
  endRound(at: number | undefined): void {
    this.isWhole = true;
    // These are younger than the list, so everything in them was heard.
    for (const [name, address] of this.unlisted) {
      const mark = this.marks.get(name);
      if (mark === undefined) continue;
      mark.round = this.round;
      this.advance(address, mark);
    }
    this.unlisted.clear();
    if (at !== undefined && this.offset !== undefined) this.meet({ all: true, at, offset: this.offset });
    else if (this.met !== undefined) this.meet({ ...this.met, all: true });
  }

  /** An event with the date `at` was heard while nothing was missing. Rows written shortly before may not be heard yet. */
  hearTime(at: unknown): void {
    const { met } = this;
    if (met === undefined || !this.isWhole || !isTime(at)) return;
    const upTo = at - SENT_WITHIN_MS;
    const isBelieved = Math.abs(at - this.options.clock.now() - met.offset) <= TOLERANCE_MS;
    if (upTo > met.at && isBelieved) this.meet({ ...met, at: upTo });
  }

  /**
   * The time by the Gateway's clock up to which it has been heard. Undefined before the first complete round. 0 when
   * its clock was set since then.
   */
  get heardAt(): number | undefined {
    if (this.met?.all !== true) return undefined;
    return this.believesTimes ? this.met.at : 0;
  }

  /** Whether something may have happened in the session that was not heard. */
  isBehind(session: ListedSession): boolean {
    const mark = this.marks.get(addressName(session.address));
    if (mark === undefined) return !this.isOld(session) || this.met?.all === true;
    return mark.seen !== session.fingerprint;
  }

  /** The place to read the session from. Undefined: read all of it. */
  placeOf(session: ListedSession): Place | undefined {
    const mark = this.marks.get(addressName(session.address));
    if (mark !== undefined) return mark.done;
    if (!this.isOld(session)) return undefined;
    // It existed before, but was not ours, or was forgotten.
    return this.met?.all === true ? { at: this.met.at } : listedPlace(session);
  }

  /** The place to read the session from, by its mark. Undefined without a mark. */
  markedPlace(address: Address): Place | undefined {
    return this.marks.get(addressName(address))?.done;
  }

  /** Whether the Gateway's times can be compared with the stored ones: no clock was set in between. */
  get believesTimes(): boolean {
    const { met, offset } = this;
    return met === undefined || offset === undefined || Math.abs(offset - met.offset) <= TOLERANCE_MS;
  }

  /** The session is listed and complete. `place` is its last row, if it was read. */
  upToDate(session: ListedSession, place: Place = this.placeOf(session) ?? listedPlace(session)): void {
    if (this.stopped) return;
    const mark = this.markOf(session.address, place);
    this.doubted.delete(addressName(session.address));
    this.unlisted.delete(addressName(session.address));
    mark.round = this.round;
    mark.heard = later(mark.heard, place);
    mark.heardAs = session.fingerprint;
    this.advance(session.address, mark);
  }

  /** An event of a session was heard. */
  hear(address: Address, { place, fingerprint, opens, before }: HeardRow): void {
    if (this.stopped) return;
    const known = this.marks.get(addressName(address));
    // The history of this session is not read yet. It will be.
    if (known === undefined && this.met?.all !== true) return;
    const mark = known ?? this.firstHeard(address);
    if (opens !== undefined && !mark.open.has(opens)) {
      const place = before ?? mark.heard;
      mark.open.set(opens, place);
      mark.before = mark.before === undefined ? place : earlier(mark.before, place);
    }
    mark.heardAt = this.options.clock.now();
    if (place !== undefined) mark.heard = later(mark.heard, place);
    if (fingerprint !== undefined) mark.heardAs = fingerprint;
    this.advance(address, mark);
  }

  /** A session without a mark speaks. During a round it may also have spoken earlier, while we were away. */
  private firstHeard(address: Address): Mark {
    if (this.isWhole) return this.markOf(address, {}, this.round);
    this.unlisted.set(addressName(address), address);
    return this.markOf(address, this.believesTimes && this.met !== undefined ? { at: this.met.at } : {});
  }

  /** The end of a run was reported, or is known not to be an end. */
  ended(address: Address, runId: string): void {
    const mark = this.stopped ? undefined : this.marks.get(addressName(address));
    const place = mark?.open.get(runId);
    if (mark === undefined || place === undefined) return;
    mark.open.delete(runId);
    if (place === mark.before) mark.before = earliest(mark.open.values());
    this.advance(address, mark);
  }

  /** An end could not be looked up. The next round reads the session from before it. */
  doubt(address: Address): void {
    if (this.stopped) return;
    this.doubted.add(addressName(address));
    const mark = this.marks.get(addressName(address));
    if (mark === undefined) return;
    mark.round = -1;
    mark.seen = "";
    mark.open.clear();
    mark.before = undefined;
    this.touch(address);
  }

  /** Whether a session must be read again. */
  get isDoubted(): boolean {
    return this.doubted.size > 0;
  }

  /** The session was deleted. */
  forget(address: Address): void {
    this.doubted.delete(addressName(address));
    if (!this.stopped && this.marks.delete(addressName(address))) this.touch(address);
  }

  /** Saves all changes. */
  save(): void {
    const { ledger, gateway } = this.options;
    this.timer?.cancel();
    this.timer = undefined;
    if (this.metChanged && this.met !== undefined) ledger.setCursor(`heard ${gateway}`, JSON.stringify(this.met));
    this.metChanged = false;
    if (this.changed.size === 0) return;
    const kept = new Map(Array.from(this.changed, (shard) => [shard, {} as Record<string, unknown>]));
    for (const [name, mark] of this.marks) {
      const entries = kept.get(shardOf(name));
      if (entries !== undefined) entries[name] = written(mark);
    }
    for (const [shard, entries] of kept) ledger.setCursor(shardName(gateway, shard), JSON.stringify(entries));
    this.changed.clear();
  }

  /** Saves all changes. After this the marks do not move, because nothing is reported. */
  stop(): void {
    this.save();
    this.stopped = true;
  }

  /** Whether the session existed when the others were last listed. */
  private isOld({ createdAt }: ListedSession): boolean {
    const { met } = this;
    if (met === undefined) return true;
    if (met.all && !this.believesTimes) return false;
    return createdAt === undefined ? !met.all : createdAt <= met.at;
  }

  private markOf(address: Address, done: Place, round = -1): Mark {
    const name = addressName(address);
    const known = this.marks.get(name);
    if (known !== undefined) return known;
    const mark: Mark = { done, seen: "", heard: done, heardAs: "", open: new Map(), round };
    this.marks.set(name, mark);
    for (const oldest of this.marks.keys()) {
      if (this.marks.size <= this.options.maxSessions * 2) break;
      this.marks.delete(oldest);
    }
    return mark;
  }

  /** Moves `done` as far as everything was reported. */
  private advance(address: Address, mark: Mark): void {
    // What was missed has not been read yet. So hearing new events does not mean that everything was heard.
    if (mark.round !== this.round) return;
    mark.done = mark.before ?? mark.heard;
    mark.seen = mark.before === undefined ? mark.heardAs : "";
    this.touch(address);
  }

  private meet(met: Met): void {
    if (this.stopped) return;
    // A crash must not undo this: until the first time is saved, everything in the past counts as before our start.
    const isFirst = this.met?.all !== met.all;
    this.met = met;
    this.metChanged = true;
    if (isFirst) this.save();
    else this.saveLater();
  }

  private touch(address: Address): void {
    const name = addressName(address);
    const mark = this.marks.get(name);
    if (mark !== undefined) {
      this.marks.delete(name);
      this.marks.set(name, mark);
    }
    this.changed.add(shardOf(name));
    this.saveLater();
  }

  private saveLater(): void {
    this.timer ??= startTimer(this.options.clock, SAVE_AFTER_MS, () => this.save());
  }
}

/** The place of a row. */
export function placeOfRow({ id, seq, at }: SessionRow, sessionId: string | undefined): Place {
  return { rowId: id, seq, at, sessionId };
}

/** The place of the last row, according to the list of sessions. */
function listedPlace({ sessionId, lastRunId, updatedAt }: ListedSession): Place {
  return { sessionId, lastRunId, at: updatedAt };
}

/** The earlier of two places. If that is unknown, the first one. */
function earlier(first: Place, other: Place): Place {
  // A place without a row is from before every row that was heard.
  const isFirst = other.rowId === undefined && other.seq === undefined;
  const isEarlier = first.sessionId === other.sessionId && (other.seq ?? -1) < (first.seq ?? -1);
  return isFirst || isEarlier ? other : first;
}

function earliest(places: Iterable<Place>): Place | undefined {
  let first: Place | undefined;
  for (const place of places) first = first === undefined ? place : earlier(first, place);
  return first;
}

/** The later of two places. If that is unknown, the one that was heard last. */
function later(before: Place, next: Place): Place {
  const isBefore =
    before.sessionId === next.sessionId &&
    before.seq !== undefined &&
    (next.seq === undefined ? next.rowId === undefined : next.seq < before.seq);
  return isBefore ? before : next;
}

function shardOf(name: string): number {
  return createHash("sha1").update(name).digest().readUInt32BE() % SHARDS;
}

function shardName(gateway: string, shard: number): string {
  return `heard ${gateway} ${shard}`;
}

function written({ done: { rowId, seq, at, sessionId, lastRunId }, seen }: Mark): readonly unknown[] {
  return [rowId, seq, at, sessionId, lastRunId, seen];
}

function parse(kept: string | undefined): unknown {
  try {
    return kept === undefined ? undefined : JSON.parse(kept);
  } catch {
    // Another program wrote this. Treat it as missing.
    return undefined;
  }
}

function readMet(kept: unknown): Met | undefined {
  const { all, at, offset } = fields(kept);
  return isTime(at) && typeof offset === "number" ? { all: all === true, at, offset } : undefined;
}

function readMark(kept: unknown): Mark | undefined {
  if (!Array.isArray(kept)) return undefined;
  const [rowId, seq, at, sessionId, lastRunId, seen] = kept as unknown[];
  const done = {
    rowId: readId(rowId),
    seq: typeof seq === "number" ? seq : undefined,
    at: isTime(at) ? at : undefined,
    sessionId: readId(sessionId),
    lastRunId: readId(lastRunId),
  };
  return { done, seen: readId(seen) ?? "", heard: done, heardAs: "", open: new Map(), round: -1 };
}
