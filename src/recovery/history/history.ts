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

/** What a Gateway keeps of a session, read back as far as was asked. */
export interface SessionHistory {
  /** Oldest first. */
  readonly rows: readonly SessionRow[];
  /** Which of the rows is the first after the place; their number when none is. */
  readonly firstNew: number;
  /** The runs that go on. */
  readonly active: ReadonlySet<string>;
  /** Something goes on that the Gateway does not name. */
  readonly busy: boolean;
  /** The run that goes on, with what it has said so far (nothing, when it is hidden). */
  readonly inFlight?: { readonly runId: string; readonly text: string };
  readonly sessionId?: string;
  /** There is more than may be read at once: what is older is missing. */
  readonly isCut: boolean;
}

/** What to read of a session. */
export interface HistoryRequest {
  readonly address: Address;
  /** Rows after it are wanted, with the runs they belong to whole. Undefined: all rows. */
  readonly place?: Place | undefined;
  /** No clock was set since the place was noted. */
  readonly believesTimes: boolean;
  /** Runs that are wanted whole, wherever they spoke. */
  readonly runIds?: ReadonlySet<string> | undefined;
  /** Nothing but `runIds` is wanted. */
  readonly only?: boolean;
  /** So many of the newest rows are wanted in any case. Default 10. */
  readonly atLeast?: number;
}

/** What {@link Histories} need. */
export interface HistoriesOptions {
  readonly gateway: string;
  readonly report: Pick<Report, "rejected">;
  readonly requests: Requests;
  /** Shared by all Gateways: how many histories may be in memory at once. */
  readonly slots: Slots;
  /** At most so many rows of one session, the newest. */
  readonly maxRows: number;
}

/** Most sessions have said little: a short answer first, longer ones when it does not reach back. */
const FIRST_PAGE_ROWS = 10;
const PAGE_ROWS = 50;
/** What one session's rows may take up while they are worked off, in bytes of memory. */
const MAX_HISTORY_BYTES = 16_777_216;
/** Longer than anything a Gateway keeps of one message. */
const WHOLE_TEXT_CHARS = 500_000;

/** Reads the histories of sessions. Answers are untrusted: what cannot be read is left out. */
export class Histories {
  private readonly options: HistoriesOptions;
  /** On which page a row was, for those that were cut. */
  private readonly pages = new WeakMap<SessionRow, number>();

  constructor(options: HistoriesOptions) {
    this.options = options;
  }

  /**
   * Reads what is asked for, and does `work` with it. A few at once, so that their memory has a bound.
   *
   * @throws {InboxError} when the Gateway does not answer; what `work` throws.
   */
  use<T>(request: HistoryRequest, work: (history: SessionHistory) => Promise<T>): Promise<T> {
    return this.options.slots.use(async () => work(await this.read(request)));
  }

  /**
   * The run with every text whole that the Gateway had cut, as far as it gives them.
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
        // A row that is written between two pages shifts them against each other.
        if (row !== undefined && isNew(row, seen)) page.push(row);
        if (row?.truncated === true) this.pages.set(row, offset);
        bytes += 2 * (row?.text.length ?? 0);
        if (loopTurns.isOver) await loopTurns.next();
      }
      rows = [...page, ...rows];
      const isFull = Array.isArray(messages) && messages.length >= limit;
      if (isFull && isUnpaged(answer) && limit < maxRows && !isEnough(request, rows, state.sessionId)) {
        // Gateways before 2026.8 know no pages: one long answer.
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
    // A text and the tool call after it have one id, and then the Gateway answers with the call.
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
      // An older Gateway may not have the method, or take it for an administrator's; its history can do the same.
      if (isInboxError(error, "ERR_INBOX_REQUEST") || isInboxError(error, "ERR_INBOX_SCOPE")) return undefined;
      throw error;
    }
  }
}

/** Whether `found` is all of the text that `cut` has the beginning of. */
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

/** The agent, where the session's key names none. */
function agentOf({ agentId }: Address): object {
  return agentId === undefined ? {} : { agentId };
}

/** One row may be told as two with the same id: what is said, then the tool that is called. */
function isNew({ id, kind, text }: SessionRow, seen: Set<string>): boolean {
  if (id === undefined) return true;
  const key = `${id} ${kind} ${text.length}`;
  return !seen.has(key) && seen.add(key) !== undefined;
}

/** Whether the rows reach back far enough, and the oldest is of no run that is wanted whole. */
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
