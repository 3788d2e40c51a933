import { createHash } from "node:crypto";
import type { Clock } from "../../kit/clock.ts";
import { ExpiringMap } from "../../kit/expiring-map.ts";
import type { Ledger } from "../../ledger/ledger.ts";
import type { SessionRow } from "../../protocol/transcript-row.ts";
import type { Supervisor } from "../../runs/supervisor.ts";
import type { ChatEvent, RunOutcome } from "../../types.ts";
import type { Generation } from "../generation.ts";
import { type EndedRun, namelessRunId, textOf } from "./ended-runs.ts";

/** What {@link NamelessRuns} need. */
export interface NamelessRunsOptions {
  readonly gateway: string;
  readonly clock: Clock;
  readonly supervisor: Pick<Supervisor, "live" | "knows">;
  readonly generation: Generation;
  readonly ledger: Pick<Ledger, "solicit">;
}

/** How long a run is remembered until its row comes, in ms, and the most of them, in all and in one session. */
const REMEMBERED_MS = 120_000;
const MAX_REMEMBERED = 20_000;
const MAX_IN_SESSION = 64;
/** How long the ledger remembers which rows were heard as a run, in ms: as long as it remembers the run. */
const KNOWN_MS = 86_400_000;
/** How many characters at its end identify a row as the end of a text. */
const END_CHARS = 100;
/** How many characters at its beginning identify an answer, besides its time. The Gateway may cut the rest. */
const BEGIN_CHARS = 1_000;

/** The last row of a run. */
interface LastRow {
  /** The id of the run that the history has in its place. */
  readonly runId: string;
  readonly end: string;
}

/** A run whose end has been heard, and its row has not. */
interface Awaiting {
  readonly runId: string;
  /** The state of its end, and a hash of its text. */
  readonly words: string;
  /** When it was heard, by our clock. */
  readonly at: number;
}

/**
 * Runs whose rows have no run id, as before 2026.8. They are matched with live runs by session and text, each row with
 * one run: an agent may say the same again.
 */
export class NamelessRuns {
  private readonly options: NamelessRunsOptions;
  /** By session. */
  private readonly awaiting: ExpiringMap<readonly Awaiting[]>;
  /** The runs whose rows have been heard. */
  private readonly complete: ExpiringMap<true>;
  /** The rows, by their ids, that were matched by text with a run whose end was heard. */
  private readonly matched: ExpiringMap<true>;
  /** The ends of the texts of dispatched runs. */
  private readonly dispatchedTexts: ExpiringMap<string>;
  /** The runs of rows that were heard live, by the row's id. */
  private readonly named: ExpiringMap<string>;
  /** The last rows of runs that are not dispatched yet. */
  private readonly lastRows: ExpiringMap<LastRow>;
  /** The runs of finals that the Gateway wrote itself, by session, time and text. */
  private readonly written: ExpiringMap<string>;
  /** The runs without an id that were found. */
  private readonly reported: ExpiringMap<true>;

  constructor(options: NamelessRunsOptions) {
    this.options = options;
    const limits = { windowMs: REMEMBERED_MS, maxKeys: MAX_REMEMBERED, clock: options.clock };
    this.awaiting = new ExpiringMap(limits);
    this.complete = new ExpiringMap(limits);
    this.matched = new ExpiringMap(limits);
    this.dispatchedTexts = new ExpiringMap(limits);
    this.lastRows = new ExpiringMap(limits);
    this.named = new ExpiringMap(limits);
    this.written = new ExpiringMap(limits);
    this.reported = new ExpiringMap(limits);
  }

  /** The end of a run has been heard. */
  hear(outcome: RunOutcome): void {
    if (this.options.generation.namesRuns) return;
    const { gateway, runId, sessionKey, text } = outcome.status === "dispatched" ? outcome.message : outcome;
    if (gateway !== this.options.gateway) return;
    if (sessionKey !== undefined && this.complete.get(runId) === undefined)
      this.addAwaiting(sessionKey, { runId, words: wordsOf(stateOf(outcome), text), at: this.options.clock.now() });
    if (outcome.status !== "dispatched") return;
    this.dispatchedTexts.set(runId, endOf(text));
    const row = this.lastRows.get(runId);
    if (row !== undefined) this.know(runId, row);
  }

  private addAwaiting(sessionKey: string, run: Awaiting): void {
    const others = (this.awaiting.get(sessionKey) ?? []).filter(({ at }) => run.at - at < REMEMBERED_MS);
    this.awaiting.set(sessionKey, [...others, run].slice(-MAX_IN_SESSION));
  }

  private dropAwaiting(sessionKey: string, runId: string): void {
    const runs = this.awaiting.get(sessionKey);
    if (runs === undefined) return;
    const others = runs.filter((run) => run.runId !== runId);
    if (others.length > 0) this.awaiting.set(sessionKey, others);
    else this.awaiting.delete(sessionKey);
  }

  /** A final has been heard. The Gateway itself may have written it, as the answer to a slash command. */
  hearFinal({ runId, sessionKey, messageText = "", writtenAt, truncated }: ChatEvent): void {
    // A cut answer is incomplete, and its row is not.
    if (this.options.generation.namesRuns || truncated === true) return;
    if (sessionKey === undefined || writtenAt === undefined) return;
    this.written.set(writtenKey(sessionKey, writtenAt, messageText), runId);
  }

  /**
   * Whether a row is the answer to a slash command that was heard as a final. Before 2026.5.28 such a row looks like one
   * of `chat.inject`, and later its id may be masked. Its time tells them apart: the final has the same one.
   */
  isAnswer({ kind, runId, id, at, text }: SessionRow, sessionKey: string): boolean {
    if (id === undefined || runId === undefined || at === undefined) return false;
    if (kind !== "injected" && runId !== namelessRunId(id)) return false;
    const asked = this.written.get(writtenKey(sessionKey, at, text));
    if (asked === undefined || asked === runId) return false;
    this.tie(asked, { runId, end: endOf(text) });
    return true;
  }

  /** The row of a run has been heard, live. */
  hearRow(runId: string, { kind }: SessionRow, sessionKey: string): void {
    if (this.options.generation.namesRuns || kind === "step" || kind === "prompt") return;
    this.complete.set(runId, true);
    this.dropAwaiting(sessionKey, runId);
  }

  /**
   * A row belongs to a live run, and the history has it without a run id. After a crash only the ledger knows that it was
   * dispatched, so the ledger is told at once.
   */
  name(runId: string, { kind, id, text }: SessionRow): void {
    if (this.options.generation.namesRuns || kind !== "reply" || id === undefined) return;
    this.named.set(id, runId);
    this.tie(runId, { runId: namelessRunId(id), end: endOf(text) });
  }

  private tie(runId: string, row: LastRow): void {
    if (this.dispatchedTexts.get(runId) === undefined) this.lastRows.set(runId, row);
    else this.know(runId, row);
  }

  private know(runId: string, row: LastRow): void {
    const { ledger, clock } = this.options;
    const isSaid = row.end !== "" && this.dispatchedTexts.get(runId)?.endsWith(row.end) === true;
    if (isSaid) void ledger.solicit(row.runId, clock.now() + KNOWN_MS);
  }

  /**
   * The run to report, with the id of the live run it belongs to, if there is one. Undefined when its end has been heard.
   * A run whose rows have its id is returned unchanged.
   */
  identify(run: EndedRun, sessionKey: string): EndedRun | undefined {
    const found = this.find(run, sessionKey);
    if (found === undefined) return undefined;
    if (found.nameless) this.reported.set(found.runId, true);
    this.complete.set(found.runId, true);
    return found;
  }

  /**
   * Whether the end of a run has been heard, or has been reported in another way. The row is then matched with that end,
   * so another row with the same words is not. For the same row the answer stays the same.
   */
  isHeard(run: EndedRun, sessionKey: string): boolean {
    return this.find(run, sessionKey) === undefined;
  }

  private find(run: EndedRun, sessionKey: string): EndedRun | undefined {
    if (!run.nameless) return this.isAnswer(run.last, sessionKey) || this.isReported(run) ? undefined : run;
    const runId = run.last.id === undefined ? undefined : this.named.get(run.last.id);
    if (runId !== undefined) return { ...run, runId, nameless: false };
    const { gateway, supervisor, generation } = this.options;
    const text = textOf(run, generation.joiner);
    if (this.isMatched(run, sessionKey, text)) return undefined;
    const live = supervisor.live().find((one) => {
      const soFar = one.text.trim();
      return one.gateway === gateway && one.sessionKey === sessionKey && soFar !== "" && text.startsWith(soFar);
    });
    return live === undefined ? run : { ...run, runId: live.runId, nameless: false };
  }

  /** Whether its last row is that of a run whose end was heard. */
  private isMatched({ last, state }: EndedRun, sessionKey: string, text: string): boolean {
    const rowId = last.id ?? "";
    if (this.matched.get(rowId) !== undefined) return true;
    const { gateway, supervisor, ledger, clock } = this.options;
    // It was found before, as a run of its own.
    if (supervisor.knows(gateway, namelessRunId(rowId)) !== undefined) return false;
    const words = wordsOf(state, text);
    const now = clock.now();
    const run = this.awaiting.get(sessionKey)?.find((one) => one.words === words && now - one.at < REMEMBERED_MS);
    if (run === undefined) return false;
    this.dropAwaiting(sessionKey, run.runId);
    this.matched.set(rowId, true);
    void ledger.solicit(namelessRunId(rowId), now + KNOWN_MS);
    return true;
  }

  /** Whether the row that it repeats was a run before. The next process is told by the ledger. */
  private isReported({ runId, repeated }: EndedRun): boolean {
    const before = repeated?.id === undefined ? undefined : this.reported.get(namelessRunId(repeated.id));
    if (before === undefined) return false;
    const { ledger, clock } = this.options;
    void ledger.solicit(runId, clock.now() + KNOWN_MS);
    return true;
  }

  clear(): void {
    this.awaiting.clear();
    this.complete.clear();
    this.matched.clear();
    this.dispatchedTexts.clear();
    this.lastRows.clear();
    this.named.clear();
    this.written.clear();
    this.reported.clear();
  }
}

/** Copied, because a slice keeps the whole text in memory. */
function endOf(text: string): string {
  return structuredClone(text.trimEnd().slice(-END_CHARS));
}

/** The state that the row of a run has. */
function stateOf({ status }: RunOutcome): string {
  return status === "errored" ? "error" : status === "aborted" ? "aborted" : "final";
}

function wordsOf(state: string, text: string): string {
  return hashOf(`${state}\u0000${text.trim()}`);
}

function writtenKey(sessionKey: string, at: number, text: string): string {
  return hashOf(`${sessionKey}\u0000${at}\u0000${text.trim().slice(0, BEGIN_CHARS)}`);
}

/** A hash, because texts are long. */
function hashOf(text: string): string {
  return createHash("sha1").update(text).digest("base64");
}
