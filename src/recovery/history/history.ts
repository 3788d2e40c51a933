import { isInboxError } from "../../errors.ts";
import { loopTurns } from "../../kit/background.ts";
import type { Slots } from "../../kit/slots.ts";
import { fields, readId, rowCarriesTooLongAnId } from "../../protocol/fields.ts";
import { cutBeginning } from "../../protocol/text.ts";
import { readSessionRow, type SessionRow } from "../../protocol/transcript-row.ts";
import type { Report } from "../../report/report.ts";
import type { Place } from "../bookmark.ts";
import type { Requests } from "../requests.ts";
import type { Address } from "../sessions/address.ts";
import type { EndedRun } from "./ended-runs.ts";
import { firstNew } from "./first-new.ts";

/** A session's rows at the Gateway, read back as far as requested. */
export interface SessionHistory {
  /** Oldest first. */
  readonly rows: readonly SessionRow[];
  /** The index of the first row after the place, or the number of rows when there is none. */
  readonly firstNew: number;
  /** The runs in progress. */
  readonly active: ReadonlySet<string>;
  /** Something is in progress that the Gateway does not name. */
  readonly busy: boolean;
  /** The run in progress and its text so far. The text is empty when the run is hidden. */
  readonly inFlight?: { readonly runId: string; readonly text: string };
  readonly sessionId?: string;
  /** There is more than may be read at once. Older rows are missing. */
  readonly isCut: boolean;
}

/** What to read of a session. */
export interface HistoryRequest {
  readonly address: Address;
  /** Rows after it are needed, with all rows of their runs. Undefined: all rows. */
  readonly place?: Place | undefined;
  /** No clock was set since the place was stored. */
  readonly believesTimes: boolean;
  /** Runs of which all rows are needed. */
  readonly runIds?: ReadonlySet<string> | undefined;
  /** Only `runIds` are needed. */
  readonly only?: boolean;
  /** How many of the newest rows are needed in any case. Default 10. */
  readonly atLeast?: number;
}

/** What {@link Histories} need. */
export interface HistoriesOptions {
  readonly gateway: string;
  readonly report: Pick<Report, "rejected">;
  readonly requests: Requests;
  /** Shared by all Gateways. Limits how many histories are in memory at once. */
  readonly slots: Slots;
  /** The most rows of one session. The newest are read. */
  readonly maxRows: number;
}

/**
 * Most sessions have few rows, so the first request is for a short page. Longer pages follow when it does not reach
 * back.
 */
const FIRST_PAGE_ROWS = 10;
const PAGE_ROWS = 50;
/** How much memory the rows of one session may take while they are processed, in bytes. */
const MAX_HISTORY_BYTES = 16_777_216;
/** Longer than any message text that a Gateway keeps. */
const WHOLE_TEXT_CHARS = 500_000;

/** Reads the histories of sessions. Answers are not trusted: what cannot be read is left out. */
export class Histories {
  private readonly options: HistoriesOptions;
  /** The page of each row, for rows that were cut. */
  private readonly pages = new WeakMap<SessionRow, number>();

  constructor(options: HistoriesOptions) {
    this.options = options;
  }

  /**
   * Reads the history and calls `work` with it. Only a few run at once, so that their memory is limited.
   *
   * @throws {InboxError} when the Gateway does not answer. An error of `work` passes through.
   */
  use<T>(request: HistoryRequest, work: (history: SessionHistory) => Promise<T>): Promise<T> {
    return this.options.slots.use(async () => work(await this.read(request)));
  }

  /**
   * The run with every cut text completed, as far as the Gateway returns them.
   *
   * @throws {InboxError} when the Gateway does not answer.
   */
  async whole(address: Address, run: EndedRun): Promise<EndedRun> {
    if (!run.rows.some(({ truncated }) => truncated)) return run;
    const rows: SessionRow[] = [];
    for (const row of run.rows) rows.push(row.truncated ? await this.wholeRow(address, row) : row);
    return { ...run, rows };
  }

  private async read(request: HistoryRequest): Promise<SessionHistory> {
    const { requests, maxRows, gateway, report } = this.options;
    const { address, place, believesTimes } = request;
    let state = readState({});
    let rows: SessionRow[] = [];
    let bytes = 0;
    let isCut = false;
    const seen = new Set<string>();
    const maxPages = Math.ceil(maxRows / PAGE_ROWS) * 2 + 1;
    let limit = request.atLeast ?? FIRST_PAGE_ROWS;
    for (let offset = 0, pages = 1; ; pages += 1) {
      const params = { sessionKey: address.key, ...agentOf(address), limit, ...(offset > 0 && { offset }) };
      const answer = fields(await requests.ask("chat.history", params));
      if (pages === 1) state = readState(answer);
      const { messages, hasMore, nextOffset } = answer;
      const page: SessionRow[] = [];
      for (const message of Array.isArray(messages) ? messages : []) {
        const row = readSessionRow(message);
        if (row === undefined && rowCarriesTooLongAnId(message)) report.rejected({ gateway, reason: "bad-id" });
        // A row that is written between two requests shifts the pages.
        if (row !== undefined && isNew(row, seen)) page.push(row);
        if (row?.truncated === true) this.pages.set(row, offset);
        bytes += 2 * (row?.text.length ?? 0);
        if (loopTurns.isOver) await loopTurns.next();
      }
      rows = [...page, ...rows];
      const isFull = Array.isArray(messages) && messages.length >= limit;
      if (isFull && isUnpaged(answer) && limit < maxRows && !isEnough(request, rows, state.sessionId)) {
        // Gateways before 2026.8 have no pages, so this is one long answer.
        rows = [];
        seen.clear();
        limit = maxRows;
        continue;
      }
      if (hasMore !== true || typeof nextOffset !== "number" || nextOffset <= offset) break;
      if (isEnough(request, rows, state.sessionId)) break;
      isCut = nextOffset >= maxRows || bytes >= MAX_HISTORY_BYTES || pages >= maxPages;
      if (isCut) break;
      offset = nextOffset;
      limit = Math.min(PAGE_ROWS, maxRows - offset);
    }
    const { sessionId } = state;
    return { ...state, rows, firstNew: firstNew({ rows, sessionId }, place, believesTimes), isCut };
  }

  private async wholeRow(address: Address, row: SessionRow): Promise<SessionRow> {
    const { requests } = this.options;
    const { id } = row;
    if (id === undefined) return row;
    const asked = { sessionKey: address.key, ...agentOf(address) };
    const found = readSessionRow(fields(await this.askMessage({ ...asked, messageId: id }))["message"]);
    if (found !== undefined && isWhole(found, row)) return completed(row, found);
    // A text and the tool call after it have the same id, and then the Gateway returns the call.
    const offset = this.pages.get(row) ?? 0;
    const params = { ...asked, limit: PAGE_ROWS, maxChars: WHOLE_TEXT_CHARS, ...(offset > 0 && { offset }) };
    const { messages } = fields(await requests.ask("chat.history", params));
    const again = Array.isArray(messages) ? messages.flatMap((message) => readSessionRow(message) ?? []) : [];
    const whole = again.find((one) => one.id === id && isWhole(one, row));
    return whole === undefined ? row : completed(row, whole);
  }

  private async askMessage(params: object): Promise<unknown> {
    try {
      return await this.options.requests.ask("chat.message.get", params);
    } catch (error) {
      // An older Gateway may lack the method or allow it only to administrators. Its history can do the same.
      if (isInboxError(error, "ERR_INBOX_REQUEST") || isInboxError(error, "ERR_INBOX_SCOPE")) return undefined;
      throw error;
    }
  }
}

/** Whether `found` is the whole text that `cut` is the beginning of. */
function isWhole(found: SessionRow, cut: SessionRow): boolean {
  const beginning = cutBeginning(cut.text).trimEnd();
  return !found.truncated && found.text.startsWith(beginning.slice(0, 1_000));
}

function completed(cut: SessionRow, { text, attachments }: SessionRow): SessionRow {
  return { ...cut, text, truncated: false, ...(attachments !== undefined && { attachments }) };
}

function isUnpaged(answer: Readonly<Record<string, unknown>>): boolean {
  return answer["hasMore"] === undefined && answer["nextOffset"] === undefined;
}

/** The agent, when the session's key names none. */
function agentOf({ agentId }: Address): object {
  return agentId === undefined ? {} : { agentId };
}

/** One row may come as two with the same id: a text, and then a tool call. */
function isNew({ id, kind, text }: SessionRow, seen: Set<string>): boolean {
  if (id === undefined) return true;
  const key = `${id} ${kind} ${text.length}`;
  return !seen.has(key) && seen.add(key) !== undefined;
}

/** Whether the rows reach back far enough, and the oldest row is of no run whose rows are all needed. */
function isEnough({ place, believesTimes, runIds, only }: HistoryRequest, rows: readonly SessionRow[], life?: string) {
  const first = firstNew({ rows, sessionId: life }, place, believesTimes);
  const isFound = only === true && Array.from(runIds ?? []).every((id) => rows.some(({ runId }) => runId === id));
  if (!isFound && (place === undefined || first === 0)) return false;
  const [oldest] = rows;
  if (oldest?.runId === undefined) return oldest?.kind !== "step";
  return runIds?.has(oldest.runId) !== true && !rows.slice(first).some(({ runId }) => runId === oldest.runId);
}

function readState(
  answer: Readonly<Record<string, unknown>>,
): Pick<SessionHistory, "active" | "busy" | "inFlight" | "sessionId"> {
  const sessionId = readId(answer["sessionId"]);
  const going = fields(answer["inFlightRun"]);
  const { activeRunIds, hasActiveRun } = fields(answer["sessionInfo"]);
  const named = Array.isArray(activeRunIds) ? activeRunIds.flatMap((id) => readId(id) ?? []) : [];
  const runId = readId(going["runId"]);
  const text = typeof going["text"] === "string" ? going["text"] : "";
  const inFlight = runId === undefined ? undefined : { runId, text };
  const active = new Set<string>(inFlight === undefined ? named : [...named, inFlight.runId]);
  return {
    active,
    busy: active.size === 0 && hasActiveRun === true,
    ...(inFlight !== undefined && { inFlight }),
    ...(sessionId !== undefined && { sessionId }),
  };
}
