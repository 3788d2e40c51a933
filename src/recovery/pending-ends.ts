import { isInboxError } from "../errors.ts";
import type { Clock } from "../kit/clock.ts";
import { startTimer, type Timer } from "../kit/timer.ts";
import { cutBeginning } from "../protocol/text.ts";
import type { SessionRow } from "../protocol/transcript-row.ts";
import type { Report } from "../report/report.ts";
import type { Supervisor } from "../runs/supervisor.ts";
import type { Bookmark } from "./bookmark.ts";
import type { Generation } from "./generation.ts";
import { type EndedRun, endedRuns, saysNothing } from "./history/ended-runs.ts";
import type { Histories, SessionHistory } from "./history/history.ts";
import type { NamelessRuns } from "./history/nameless-runs.ts";
import type { ReportEnds } from "./report-ends.ts";
import { type Address, addressName } from "./sessions/address.ts";

/** A run that seems to have ended, but whose chat event has not come. */
export interface PendingEnd {
  readonly runId: string;
  /** The address with its history. */
  readonly address: Address;
  /** The session key as live events of this run have it. */
  readonly sessionKey: string;
  /** The row that looks like its end. Absent when an event only said that the run is over. */
  readonly row?: SessionRow | undefined;
  /** It was missed, and not only reported in another way. */
  readonly recovered: boolean;
  /** Its final was heard, as this row. The run is over, but its text or its files are not complete yet. */
  readonly final?: SessionRow | undefined;
}

/** What {@link PendingEnds} need. */
export interface PendingEndsOptions {
  readonly gateway: string;
  readonly clock: Clock;
  readonly report: Pick<Report, "endLost">;
  readonly supervisor: Pick<Supervisor, "knows">;
  /** Absent when the source only listens. */
  readonly histories?: Histories | undefined;
  readonly bookmark: Bookmark;
  readonly ends: ReportEnds;
  readonly nameless: NamelessRuns;
  readonly generation: Generation;
  /** How long a run may take, in ms. */
  readonly ttlMs: number;
  /** The most pending runs. */
  readonly maxRuns: number;
  /** When it is aborted, nothing is looked up or reported any longer. */
  readonly stopped: AbortSignal;
}

interface Pending extends Omit<PendingEnd, "row" | "final"> {
  final: SessionRow | undefined;
  readonly rows: SessionRow[];
  readonly seen: Set<string>;
  /** Some of its rows are not kept here. Only the history has all of them. */
  isPartial: boolean;
  bytes: number;
  tries: number;
  timer: Timer;
}

/**
 * How long to wait for a run's own end, in ms. Its row comes 10 to 50 ms before, and the end has the better text. Only
 * a run whose end is not sent has just the row.
 */
const GRACE_MS = 1_000;
/** How many times a run that may still go on gets another second. */
const MAX_TRIES = 3;
/** The same for a run whose announced files are not in the history yet. A large image takes a second. */
const MAX_FILE_TRIES = 10;
/** The most rows that are kept of one run, and bytes of all runs. The history has the rest. */
const MAX_ROWS = 32;
const MAX_PENDING_BYTES = 16_777_216;

/**
 * The runs that seem to have ended. Each gets a second, from its first sign, for its own end to come. Then the history
 * is asked. After a tool call the last row has only the last words, and the run may go on.
 */
export class PendingEnds {
  private readonly options: PendingEndsOptions;
  private readonly runs = new Map<string, Pending>();
  /** Runs that went on. Their own ends will come. */
  private readonly goingOn = new Map<string, Address>();
  /** Runs whose last row is only a part of them. The bookmark is before them. */
  private readonly parted = new Map<string, { readonly address: Address; readonly at: number }>();
  private bytes = 0;
  private due: Pending[] = [];

  constructor(options: PendingEndsOptions) {
    this.options = options;
    options.stopped.addEventListener("abort", () => this.clear(), { once: true });
  }

  /** Gives a run another second, unless its end is known. */
  add(end: PendingEnd): void {
    const { clock, maxRuns, report, bookmark } = this.options;
    if (this.options.stopped.aborted) return;
    const known = this.runs.get(end.runId);
    if (known !== undefined) {
      known.final ??= end.final;
      return this.keepRow(known, end.row);
    }
    if (this.runs.size >= maxRuns) {
      report.endLost();
      return bookmark.doubt(end.address);
    }
    const { row, final, ...rest } = end;
    const timer = startTimer(clock, GRACE_MS, () => this.isDue(pending));
    const pending: Pending = {
      ...rest,
      final,
      rows: [],
      seen: new Set(),
      isPartial: false,
      bytes: 0,
      tries: 0,
      timer,
    };
    this.runs.set(end.runId, pending);
    this.keepRow(pending, row);
  }

  /** Looks a run up in the history at once, even if it does not seem to have ended. */
  lookUp({ row, final, ...end }: PendingEnd): void {
    const timer = { cancel: () => {} };
    const rows = row === undefined ? [] : [row];
    const tries = Number.POSITIVE_INFINITY;
    this.enqueue({ ...end, final, rows, seen: new Set(), isPartial: false, bytes: 0, tries, timer });
  }

  /** Reports a run that consists of one row. */
  async reportRow(row: SessionRow, { runId, address, sessionKey, recovered }: PendingEnd): Promise<void> {
    const { histories, ends, bookmark } = this.options;
    try {
      for (const run of endedRuns([row]))
        ends.end((await histories?.whole(address, run)) ?? run, sessionKey, recovered);
      bookmark.ended(address, runId);
    } catch {
      bookmark.doubt(address);
    }
  }

  /** A part of a run was heard that its last row does not contain. The bookmark is before it. */
  heardPart(runId: string, address: Address): void {
    const { clock, maxRuns, bookmark } = this.options;
    if (this.parted.has(runId)) return;
    this.parted.set(runId, { address, at: clock.now() });
    const [oldest] = this.parted;
    if (this.parted.size <= maxRuns || oldest === undefined) return;
    this.parted.delete(oldest[0]);
    bookmark.ended(oldest[1].address, oldest[0]);
  }

  /** Lets the bookmark pass runs whose ends have been heard. */
  sweep(): void {
    const { supervisor, gateway, bookmark, ends, clock, ttlMs } = this.options;
    for (const { runId, address, rows } of this.runs.values()) {
      const maySpeak = rows.some(({ kind }) => kind !== "failed" && kind !== "aborted");
      if (ends.isKnown(runId, maySpeak ? "final" : "error")) bookmark.ended(address, runId);
    }
    for (const [runId, { address, at }] of this.parted) {
      if (!ends.isKnown(runId, "error") && clock.now() - at < ttlMs) continue;
      this.parted.delete(runId);
      bookmark.ended(address, runId);
    }
    for (const [runId, address] of this.goingOn) {
      if (supervisor.knows(gateway, runId) === "live") continue;
      this.goingOn.delete(runId);
      bookmark.ended(address, runId);
    }
  }

  private clear(): void {
    for (const { timer } of this.runs.values()) timer.cancel();
    this.runs.clear();
    this.goingOn.clear();
    this.parted.clear();
    this.due = [];
    this.bytes = 0;
  }

  private keepRow(pending: Pending, row: SessionRow | undefined): void {
    if (row === undefined) return;
    // A Gateway may repeat a row.
    const key = `${row.id} ${row.kind} ${row.text.length}`;
    if (pending.seen.has(key)) return;
    const bytes = 2 * row.text.length;
    if (pending.rows.length >= MAX_ROWS || this.bytes + bytes > MAX_PENDING_BYTES) {
      pending.isPartial = true;
      return;
    }
    pending.seen.add(key);
    pending.rows.push(row);
    pending.bytes += bytes;
    this.bytes += bytes;
  }

  private isDue(pending: Pending): void {
    this.runs.delete(pending.runId);
    this.bytes -= pending.bytes;
    this.enqueue(pending);
  }

  /** Runs that are due at the same time are looked up together. */
  private enqueue(pending: Pending): void {
    this.due.push(pending);
    if (this.due.length === 1) queueMicrotask(() => this.confirm(this.due.splice(0)));
  }

  private confirm(due: readonly Pending[]): void {
    const { bookmark, ends } = this.options;
    const bySession = new Map<string, Pending[]>();
    for (const pending of due) {
      const { runId, address, rows, recovered } = pending;
      const maySpeak = recovered || rows.some(({ kind }) => kind !== "failed" && kind !== "aborted");
      if (this.isHeard(pending) || ends.isKnown(runId, maySpeak ? "final" : "error")) {
        bookmark.ended(address, runId);
        continue;
      }
      const name = addressName(address);
      const ofSession = bySession.get(name);
      if (ofSession === undefined) bySession.set(name, [pending]);
      else ofSession.push(pending);
    }
    for (const runs of bySession.values()) void this.confirmIn(runs);
  }

  /** Whether its row does not name its run, and belongs to a run that was heard. */
  private isHeard({ rows, sessionKey }: Pending): boolean {
    const [run] = endedRuns(rows, { nameless: true });
    return run !== undefined && this.options.nameless.isHeard(run, sessionKey);
  }

  /** Looks up runs of one session. */
  private async confirmIn(runs: readonly Pending[]): Promise<void> {
    const { histories, bookmark, generation, stopped } = this.options;
    const [first] = runs;
    if (first === undefined) return;
    if (histories === undefined) {
      for (const run of runs) this.endFromRows(run);
      return;
    }
    const runIds = new Set(runs.map(({ runId }) => runId));
    const place = bookmark.markedPlace(first.address);
    const request = { address: first.address, place, believesTimes: bookmark.believesTimes, runIds, only: true };
    try {
      await histories.use(request, async (history) => {
        const found = endedRuns(history.rows, { nameless: generation.hasNamelessRuns(history.rows) });
        const ended = new Map(found.map((run) => [run.runId, run]));
        for (const run of runs) await this.conclude(run, history, ended.get(run.runId) ?? byRow(run, found));
      });
    } catch (error) {
      if (!stopped.aborted) for (const run of runs) this.giveUp(run, error);
    }
  }

  private async conclude(pending: Pending, history: SessionHistory, found: EndedRun | undefined): Promise<void> {
    const { histories } = this.options;
    const { runId, address, final } = pending;
    const goesOn = history.active.has(runId) || (history.busy && pending.tries < MAX_TRIES);
    if (goesOn && final === undefined) return this.tryAgain(pending);
    if (found === undefined) return this.endFromRows(pending);
    if (awaitsFiles(pending, found)) return this.wait(pending);
    const whole = (await histories?.whole(address, found)) ?? found;
    this.report(pending, final === undefined ? whole : withFinal(final, whole));
  }

  private report({ runId, address, sessionKey, recovered }: Pending, run: EndedRun): void {
    const { ends, bookmark, nameless } = this.options;
    const identified = nameless.identify(run, sessionKey);
    if (identified !== undefined) ends.end(identified, sessionKey, recovered, address.agentId);
    bookmark.ended(address, runId);
  }

  private tryAgain(pending: Pending): void {
    const { runId, address } = pending;
    if (pending.tries >= MAX_TRIES) {
      this.goingOn.set(runId, address);
      return;
    }
    this.wait(pending);
  }

  /** Gives a run one more second. */
  private wait(pending: Pending): void {
    const { runId } = pending;
    const newer = this.runs.get(runId);
    if (newer !== undefined) {
      newer.final ??= pending.final;
      return;
    }
    pending.tries += 1;
    pending.timer = startTimer(this.options.clock, GRACE_MS, () => this.isDue(pending));
    this.runs.set(runId, pending);
    this.bytes += pending.bytes;
  }

  /** Used when the history has nothing of it, because its session was deleted, or cannot be read. */
  private endFromRows(pending: Pending): void {
    const { supervisor, gateway, bookmark, histories } = this.options;
    const { runId, final, address } = pending;
    const rows = final === undefined ? pending.rows : [final];
    // The live run has more text than its row, and will end by itself.
    if (final === undefined && supervisor.knows(gateway, runId) === "live") {
      this.goingOn.set(runId, address);
      return;
    }
    // A source that only listens has nothing better.
    const isWhole = final !== undefined || histories === undefined || !this.isParted(pending);
    for (const run of endedRuns(rows, { nameless: true })) this.report(pending, isWhole ? run : cut(run));
    bookmark.ended(address, runId);
  }

  private isParted({ runId, isPartial }: Pending): boolean {
    return isPartial || this.parted.has(runId);
  }

  /** Whether its row does not name its run, and a part of a run was heard in its session. */
  private mayBePart({ rows, address }: Pending): boolean {
    const name = addressName(address);
    return (
      rows.some(({ runId }) => runId === undefined) &&
      [...this.parted.values()].some((part) => addressName(part.address) === name)
    );
  }

  private giveUp(pending: Pending, error: unknown): void {
    const { supervisor, gateway, bookmark } = this.options;
    const { final, runId, address } = pending;
    const rows = final === undefined ? pending.rows : [final];
    const isLive = final === undefined && supervisor.knows(gateway, runId) === "live";
    const isParted = final === undefined && (this.isParted(pending) || this.mayBePart(pending));
    const isWhole = !isLive && !isParted && rows.length > 0 && !rows.some(({ truncated }) => truncated);
    if (isWhole && !isInboxError(error, "ERR_INBOX_NO_LINK")) this.endFromRows(pending);
    else bookmark.doubt(address);
  }
}

/** The heard run that a row without a run id belongs to. Only the beginning of a cut final is known. */
function byRow({ runId, rows: heard, final }: Pending, found: readonly EndedRun[]): EndedRun | undefined {
  const rows = final === undefined ? heard : [...heard, final];
  const isOfRun = (one: SessionRow) =>
    rows.some((row) => (row.id === undefined ? isTextOf(row, one) : row.id === one.id));
  const run = found.findLast((one) => one.nameless && one.rows.some(isOfRun));
  return run === undefined ? undefined : { ...run, runId, nameless: false };
}

/** Whether the history does not yet have the announced files, or the row of a run with files only. */
function awaitsFiles({ final, tries }: Pending, { state, rows }: EndedRun): boolean {
  if (state !== "final" || rows.some(({ attachments }) => attachments !== undefined)) return false;
  if (final?.attachments !== undefined) return tries < MAX_FILE_TRIES;
  return tries < MAX_TRIES && saysNothing({ state, rows });
}

/** A run with its final's text, if that is complete, and with the files of its rows or of its final. */
function withFinal(final: SessionRow, run: EndedRun): EndedRun {
  const files = run.rows.flatMap(({ attachments }) => attachments ?? []);
  const attachments = files.length > 0 ? files : (final.attachments ?? []);
  const rows = final.truncated || final.text === "" ? run.rows : [final];
  return { ...run, rows: rows.map((row, i) => ({ ...row, attachments: i === 0 ? attachments : [] })) };
}

/** A run of which only a part is known. Its outcome says so. */
function cut(run: EndedRun): EndedRun {
  return { ...run, rows: run.rows.map((row) => ({ ...row, truncated: true })) };
}

/** Whether a row has the text of a final, as far as the final has it. */
function isTextOf({ text, truncated }: SessionRow, row: SessionRow): boolean {
  return truncated ? row.text.startsWith(cutBeginning(text).trim().slice(0, 1_000)) : row.text === text.trim();
}
