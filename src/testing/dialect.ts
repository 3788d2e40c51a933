import { isRecord } from "./handshake.ts";

/** A generation of the Gateway's wire, named by its first release; docs/gateway-versions.md has what differs. */
export type GatewayGeneration = "2026.5" | "2026.8" | "2026.9.5";

/** What a generation says in another way than the newest. Nothing given is changed. */
export interface Dialect {
  /** The release that hello names. */
  readonly version: string;
  /** Whether it gives out the files that an agent sends along. */
  readonly keepsFiles: boolean;
  /** Whether it knows a method that the newest knows. */
  knows(method: string): boolean;
  /** The parameters of a request, without those it does not look at. */
  params(method: string, params: Fields): Fields;
  answer(method: string, payload: unknown): unknown;
  event(event: string, payload: object): object;
}

type Fields = Readonly<Record<string, unknown>>;

/** Generations by name. */
export const DIALECTS: ReadonlyMap<GatewayGeneration, Dialect> = new Map<GatewayGeneration, Dialect>([
  [
    "2026.5",
    {
      version: "2026.5.28",
      keepsFiles: false,
      knows: (method) => method !== "chat.message.get",
      params: (method, params) => (method === "chat.history" ? without(params, ["cursor", "offset"]) : params),
      answer: (method, payload) => (method === "chat.history" ? oldHistory(payload) : payload),
      event: (event, payload) => (event === "session.message" ? oldMessage(payload, LIVE_MARK) : payload),
    },
  ],
  [
    "2026.8",
    {
      version: "2026.9.1",
      keepsFiles: true,
      knows: () => true,
      params: (_, params) => params,
      answer: (method, payload) => (method === "chat.history" ? withRows(payload, plainPrompt) : payload),
      event: (event, payload) =>
        event === "session.message" && isRecord(payload) && isRecord(payload["message"])
          ? { ...payload, message: plainPrompt(payload["message"]) }
          : payload,
    },
  ],
  [
    "2026.9.5",
    {
      version: "2026.9.6",
      keepsFiles: true,
      knows: () => true,
      params: (_, params) => params,
      answer: (_, payload) => payload,
      event: (_, payload) => payload,
    },
  ],
]);

// A row's mark holds no more than this before 2026.8, live and in the history.
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

function oldHistory(payload: unknown): unknown {
  const whole = withRows(payload, (row) => oldRow(row, HISTORY_MARK));
  return isRecord(whole) ? without(whole, SINCE_2026_8) : whole;
}

function oldMessage(payload: object, mark: readonly string[]): object {
  if (!isRecord(payload) || !isRecord(payload["message"])) return payload;
  return { ...payload, message: oldRow(payload["message"], mark) };
}

function oldRow(row: Fields, kept: readonly string[]): Fields {
  const plain = plainPrompt(row);
  const { __openclaw: mark } = plain;
  if (!isRecord(mark)) return plain;
  return { ...plain, __openclaw: Object.fromEntries(Object.entries(mark).filter(([name]) => kept.includes(name))) };
}

// The prompt of a cron job is what a user might have said, but for how it begins.
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
    // With a cursor, rows come as the events they were.
    return isRecord(each["message"]) ? { ...each, message: change(each["message"]) } : change(each);
  });
  return { ...payload, messages };
}

function without(record: Fields, names: readonly string[]): Fields {
  return Object.fromEntries(Object.entries(record).filter(([name]) => !names.includes(name)));
}
