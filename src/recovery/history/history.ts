import { isInboxError } from "../../errors.ts";
import { loopTurns } from "../../kit/background.ts";
import type { Slots } from "../../kit/slots.ts";
import { fields, readId, rowCarriesTooLongAnId } from "../../protocol/fields.ts";
import { cutBeginning } from "../../protocol/text.ts";
import { type RowDialect, readSessionRow, type SessionRow } from "../../protocol/transcript-row.ts";
import type { Report } from "../../report/report.ts";
import type { Place } from "../bookmark.ts";
import type { Requests } from "../requests.ts";
import type { Address } from "../sessions/address.ts";
import { type EndedRun, promptOf } from "./ended-runs.ts";
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
  readonly generation: RowDialect;
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
    const { requests, maxRows, gateway, report, generation } = this.options;
    const { address, place, believesTimes } = request;
    let state = readState({});
    let rows: SessionRow[] = [];
    let bytes = 0;
    let isCut = false;
    const maxPages = Math.ceil(maxRows / PAGE_ROWS) * 2 + 1;
    let limit = request.atLeast ?? FIRST_PAGE_ROWS;
    for (let offset = 0, pages = 1; ; pages += 1) {
      const params = { sessionKey: address.key, ...agentOf(address), limit, ...(offset > 0 && { offset }) };
      const answer = fields(await requests.ask("chat.history", params));
      if (pages === 1) state = readState(answer);
      const { messages, hasMore, nextOffset } = answer;
      const page: SessionRow[] = [];
      for (const message of Array.isArray(messages) ? messages : []) {
        const row = readSessionRow(message, generation);
        if (row === undefined && rowCarriesTooLongAnId(message)) report.rejected({ gateway, reason: "bad-id" });
        if (row !== undefined) page.push(row);
        if (row?.truncated === true) this.pages.set(row, offset);
        bytes += 2 * (row?.text.length ?? 0);
        if (loopTurns.isOver) await loopTurns.next();
      }
      rows = [...page, ...without(rows, page)];
      const isFull = Array.isArray(messages) && messages.length >= limit;
      // Before 2026.8, the limit also counts rows that are left out of the answer.
      const isNewest = isFull || (page.at(-1)?.seq ?? 0) > limit;
      if (isNewest && isUnpaged(answer) && limit < maxRows && !isEnough(request, rows, state.sessionId)) {
        // Gateways before 2026.8 have no pages, so this is one long answer.
        rows = [];
        limit = maxRows;
        continue;
      }
      if (hasMore !== true || typeof nextOffset !== "number" || nextOffset <= offset) break;
      if (isEnough(request, rows, state.sessionId)) break;
      isCut = nextOffset >= maxRows || bytes >= MAX_HISTORY_BYTES || pages >= maxPages;
      if (isCut) break;
      // The first page may begin with a part of a row that comes as two, and the next page lacks it. One row earlier, it
      // is whole.
      const isPart = offset === 0 && isFull && page[0]?.id !== undefined;
      offset = isPart ? Math.max(1, nextOffset - 1) : nextOffset;
      limit = Math.min(PAGE_ROWS, maxRows - offset);
    }
    const { sessionId } = state;
    return { ...state, rows, firstNew: firstNew({ rows, sessionId }, place, believesTimes), isCut };
  }

  private async wholeRow(address: Address, row: SessionRow): Promise<SessionRow> {
    const { requests, generation } = this.options;
    const { id } = row;
    if (id === undefined) return row;
    const asked = { sessionKey: address.key, ...agentOf(address) };
    const found = readSessionRow(fields(await this.askMessage({ ...asked, messageId: id }))["message"], generation);
    if (found !== undefined && isWhole(found, row)) return completed(row, found);
    // A text and the tool call after it have the same id, and then the Gateway returns the call.
    const offset = this.pages.get(row) ?? 0;
    const params = { ...asked, limit: PAGE_ROWS, maxChars: WHOLE_TEXT_CHARS, ...(offset > 0 && { offset }) };
    const { messages } = fields(await requests.ask("chat.history", params));
    const again = Array.isArray(messages)
      ? messages.flatMap((message) => readSessionRow(message, generation) ?? [])
      : [];
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

/**
 * The rows that are not in `page`. A row that is written between two requests shifts the pages, so that some rows come
 * twice.
 */
function without(rows: readonly SessionRow[], page: readonly SessionRow[]): readonly SessionRow[] {
  const ids = new Set(page.map(({ id }) => id));
  return rows.filter(({ id }) => id === undefined || !ids.has(id));
}

/** Whether the rows reach back far enough, and have each run whole whose rows are needed. */
function isEnough(request: HistoryRequest, rows: readonly SessionRow[], life: string | undefined): boolean {
  const { place, believesTimes, runIds, only } = request;
  const first = firstNew({ rows, sessionId: life }, place, believesTimes);
  const isReached = place !== undefined && first > 0;
  const isFound = only === true && Array.from(runIds ?? []).every((id) => rows.some(({ runId }) => runId === id));
  if (!isReached && !isFound) return false;
  const begins = new Map<string, number>();
  const needed = new Set<number>();
  for (const [index, { kind, runId }] of rows.entries()) {
    if (kind === "prompt") continue;
    const isNew = isReached && index >= first;
    if (runId === undefined) {
      if (isNew) needed.add(index);
      continue;
    }
    const begin = begins.get(runId) ?? index;
    begins.set(runId, begin);
    // The place is before each run that had not ended. So a run that begins after it is whole.
    if ((runIds?.has(runId) === true || (isNew && only !== true)) && !(isReached && begin >= first)) needed.add(begin);
  }
  return Array.from(needed).every((index) => hasBegun(rows, index));
}

/** Whether the run of this row has no rows before it. */
function hasBegun(rows: readonly SessionRow[], index: number): boolean {
  const row = rows[index];
  if (row === undefined || index >= PAGE_ROWS || row.seq === 1) return true;
  const { kind, runId } = row;
  if (kind === "injected" || kind === "automation" || promptOf(rows[index - 1], row) !== undefined) return true;
  for (let before = index - 1; before >= 0; before -= 1) {
    const one = rows[before];
    if (one === undefined) break;
    // Without run ids, a run reaches from a prompt, or from the end of another run.
    if (
      runId === undefined
        ? one.kind === "prompt" || (one.runId === undefined && one.kind !== "step")
        : one.runId === runId
    )
      return true;
  }
  return false;
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
