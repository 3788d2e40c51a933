import { isRecord } from "./handshake.ts";
import { displayedRow, displayedRows, oldStepRow } from "./steps.ts";

/** A generation of the Gateway's protocol, named by its first release. docs/gateway-versions.md lists what differs. */
export type GatewayGeneration = "2026.5" | "2026.8" | "2026.9.5";

/** What a generation sends in another form than the newest. Its functions change no argument. */
export interface Dialect {
  /** The release that hello names. */
  readonly version: string;
  /** Whether clients can download the files that an agent sends along. */
  readonly keepsFiles: boolean;
  /** What is between the texts of a run before and after a tool call, live. */
  readonly joiner: string;
  /** Whether it has a method that the newest has. */
  knows(method: string): boolean;
  /** The parameters of a request that it reads. */
  params(method: string, params: Fields): Fields;
  /** What `chat.history` gives for one row. */
  rows(row: Fields): readonly Fields[];
  answer(method: string, payload: unknown): unknown;
  event(event: string, payload: object): object;
}

type Fields = Readonly<Record<string, unknown>>;

/** The generations by name. */
export const DIALECTS: ReadonlyMap<GatewayGeneration, Dialect> = new Map<GatewayGeneration, Dialect>([
  [
    "2026.5",
    {
      version: "2026.5.28",
      keepsFiles: false,
      joiner: "",
      rows: (row) => [row],
      knows: (method) => method !== "chat.message.get",
      params: (method, params) => (method === "chat.history" ? without(params, ["cursor", "offset"]) : params),
      answer: (method, payload) =>
        method === "chat.history" ? oldHistory(payload) : method === "sessions.list" ? oldSessions(payload) : payload,
      event: (event, payload) => oldSession(event === "session.message" ? oldMessage(payload, LIVE_MARK) : payload),
    },
  ],
  [
    "2026.8",
    {
      version: "2026.9.1",
      keepsFiles: true,
      joiner: "",
      rows: displayedRows,
      knows: () => true,
      params: (_, params) => params,
      answer: (method, payload) => displayed(method, payload, plainPrompt),
      event: (event, payload) => displayedEvent(event, payload, plainPrompt),
    },
  ],
  [
    "2026.9.5",
    {
      version: "2026.9.6",
      keepsFiles: true,
      joiner: "\n\n",
      rows: displayedRows,
      knows: () => true,
      params: (_, params) => params,
      answer: (method, payload) => displayed(method, payload),
      event: (event, payload) => displayedEvent(event, payload),
    },
  ],
]);

// The fields of a row's `__openclaw` before 2026.8, live and in the history.
const LIVE_MARK = ["id", "seq"] as const;
const HISTORY_MARK = ["id", "recordTimestampMs", "seq"] as const;
const SINCE_2026_8 = [
  "pendingInputs",
  "deltaCursor",
  "nextOffset",
  "hasMore",
  "totalMessages",
  "defaults",
  "sessionInfo",
  "inFlightRun",
];

const unchanged = (row: Fields): Fields => row;

function displayed(method: string, payload: unknown, change = unchanged): unknown {
  if (method === "chat.history") return withRows(payload, (row) => displayedRow(change(row)));
  if (method !== "chat.message.get" || !isRecord(payload) || !isRecord(payload["message"])) return payload;
  return { ...payload, message: displayedRow(change(payload["message"])) };
}

function displayedEvent(event: string, payload: object, change = unchanged): object {
  if (event !== "session.message" || !isRecord(payload) || !isRecord(payload["message"])) return payload;
  return { ...payload, message: displayedRow(change(payload["message"])) };
}

function oldHistory(payload: unknown): unknown {
  const whole = withRows(payload, (row) => oldRow(row, HISTORY_MARK));
  return isRecord(whole) ? without(whole, SINCE_2026_8) : whole;
}

function oldMessage(payload: object, mark: readonly string[]): object {
  if (!isRecord(payload) || !isRecord(payload["message"])) return payload;
  return { ...payload, message: oldRow(payload["message"], mark) };
}

function oldSessions(payload: unknown): unknown {
  if (!isRecord(payload) || !Array.isArray(payload["sessions"])) return payload;
  return {
    ...payload,
    sessions: payload["sessions"].map((each: unknown) => (isRecord(each) ? oldSession(each) : each)),
  };
}

// Before 2026.8 no session names its last run.
function oldSession(payload: object): object {
  if (!isRecord(payload)) return payload;
  const { session } = payload;
  const rest = without(payload, ["lastRunId"]);
  return isRecord(session) ? { ...rest, session: without(session, ["lastRunId"]) } : rest;
}

function oldRow(row: Fields, kept: readonly string[]): Fields {
  const plain = oldStepRow(plainPrompt(row));
  const { __openclaw: mark } = plain;
  if (!isRecord(mark)) return plain;
  return { ...plain, __openclaw: Object.fromEntries(Object.entries(mark).filter(([name]) => kept.includes(name))) };
}

// Before 2026.9.5 the prompt of a cron job is a row of the role `user`.
function plainPrompt(row: Fields): Fields {
  const { provenance, content } = row;
  if (!isRecord(provenance) || provenance["sourceTool"] !== "cron") return row;
  const { role: _, ...rest } = without(row, ["provenance", "idempotencyKey"]);
  return { role: "user", ...rest, content: `${provenance["sourcePromptPrefix"]} ${String(content)}` };
}

function withRows(payload: unknown, change: (row: Fields) => Fields): unknown {
  if (!isRecord(payload) || !Array.isArray(payload["messages"])) return payload;
  const messages = payload["messages"].map((each: unknown) => {
    if (!isRecord(each)) return each;
    // The answer to a cursor has `session.message` payloads instead of rows.
    return isRecord(each["message"]) ? { ...each, message: change(each["message"]) } : change(each);
  });
  return { ...payload, messages };
}

function without(record: Fields, names: readonly string[]): Fields {
  return Object.fromEntries(Object.entries(record).filter(([name]) => !names.includes(name)));
}
