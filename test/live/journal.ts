import type { Source } from "../../src/index.ts";

/** One thing that went between an inbox and its Gateway. */
export interface JournalEntry {
  /** In ms since the epoch. */
  readonly at: number;
  readonly sessionKey?: string | undefined;
  readonly runIds: readonly string[];
  readonly words: string;
}

type Fields = Readonly<Record<string, unknown>>;

/** How long before the first and after the last entry about a run the others are told, in ms. */
const AROUND_MS = 5_000;

/** The source, with a note of all that goes through it: names, ids and lengths of frames, requests and answers. */
export function journaled(source: Source, note: (entry: JournalEntry) => void): Source {
  const { request } = source;
  const write = (words: string, runIds: readonly string[] = [], sessionKey?: unknown) =>
    note({ at: Date.now(), words, runIds, ...(typeof sessionKey === "string" && { sessionKey }) });
  return {
    ...source,
    open(listener) {
      source.open({
        frame(frame) {
          const { event, payload } = fields(typeof frame === "string" ? JSON.parse(frame) : frame);
          const told = frameOf(String(event), fields(payload));
          const { sessionKey } = fields(payload);
          if (told !== undefined) write(told.words, told.runIds, event === "cron" ? undefined : sessionKey);
          listener.frame(frame);
        },
        link(event) {
          write(`link: ${event.type}`);
          listener.link(event);
        },
        hostError: (option, error) => listener.hostError?.(option, error),
        overLimit: () => listener.overLimit?.(),
      });
    },
    close: () => source.close(),
    ...(request && {
      async request(method, params, options) {
        const { sessionKey, key = sessionKey, limit, offset = 0, messageId = "" } = fields(params);
        const asked =
          method === "chat.history" ? `${method} limit ${limit} offset ${offset}` : `${method} ${messageId}`;
        write(`asks ${asked}`, [], key);
        try {
          const answer = await request(method, params, options);
          const { words, runIds } = answerOf(fields(answer));
          write(`answer to ${asked}: ${words}`, runIds, key);
          return answer;
        } catch (error) {
          write(`no answer to ${asked}: ${String(error)}`, [], key);
          throw error;
        }
      },
    }),
  };
}

/** The entries about runs of a session, with what happened around them, one line each. */
export function linesAbout(
  entries: readonly JournalEntry[],
  { sessionKey, runIds }: { readonly sessionKey: string; readonly runIds: readonly string[] },
): readonly string[] {
  const isAbout = (entry: JournalEntry) => entry.runIds.some((runId) => runIds.includes(runId));
  const times = entries.filter(isAbout).map(({ at }) => at);
  const [from = Number.POSITIVE_INFINITY] = times;
  const to = times.at(-1) ?? 0;
  return entries
    .filter(({ at }) => at >= from - AROUND_MS && at <= to + AROUND_MS)
    .filter((entry) => isAbout(entry) || entry.sessionKey === undefined || entry.sessionKey === sessionKey)
    .map(({ at, words }) => `${new Date(at).toISOString().slice(11, 23)} ${words}`);
}

function frameOf(event: string, payload: Fields): Pick<JournalEntry, "words" | "runIds"> | undefined {
  const { runId, state, stream, seq, phase, reason, data, message } = payload;
  const runIds = typeof runId === "string" ? [runId] : [];
  switch (event) {
    case "chat":
      return { words: `chat ${state} seq ${seq} ${runId} ${sizeOf(message)}`, runIds };
    case "agent":
      return stream === "lifecycle"
        ? { words: `agent ${stream} ${fields(data)["phase"]} ${runId}`, runIds }
        : undefined;
    case "session.message":
      return { words: `row ${rowOf(message)}`, runIds: runsOf([message]) };
    case "sessions.changed":
      return { words: `sessions.changed ${phase ?? reason} ${runId ?? ""}`, runIds };
    case "cron":
      return { words: `cron ${payload["action"]} ${payload["jobId"]} ${payload["status"] ?? ""}`, runIds: [] };
    default:
      return undefined;
  }
}

function answerOf({ messages, nextOffset, sessionInfo, inFlightRun }: Fields): Pick<JournalEntry, "words" | "runIds"> {
  if (!Array.isArray(messages)) return { words: "", runIds: [] };
  const { hasActiveRun, activeRunIds } = fields(sessionInfo);
  const inFlight = fields(inFlightRun);
  const state = `active ${hasActiveRun} ${JSON.stringify(activeRunIds)} in flight ${inFlight["runId"]} (${String(inFlight["text"]).length}) next ${nextOffset}`;
  const runIds = runsOf(messages);
  if (typeof inFlight["runId"] === "string") runIds.push(inFlight["runId"]);
  return { words: `${messages.map(rowOf).join(", ")}; ${state}`, runIds };
}

function rowOf(message: unknown): string {
  const { role, stopReason = "", idempotencyKey = "", __openclaw } = fields(message);
  const { id, seq, runId = idempotencyKey } = fields(__openclaw);
  return `${seq} ${role} ${stopReason} ${sizeOf(message)} ${String(id).slice(0, 8)} ${runId}`;
}

/** The kinds of a message's blocks, and the lengths of its texts. */
function sizeOf(message: unknown): string {
  const { content } = fields(message);
  if (typeof content === "string") return `(${content.length})`;
  if (!Array.isArray(content)) return "";
  const parts = content.map(fields).map(({ type, text }) => (type === "text" ? String(text).length : type));
  return `(${parts.join("+")})`;
}

function runsOf(messages: readonly unknown[]): string[] {
  const ids = messages.map((message) => fields(fields(message)["__openclaw"])["runId"]);
  return ids.filter((id): id is string => typeof id === "string");
}

function fields(value: unknown): Fields {
  return typeof value === "object" && value !== null ? (value as Fields) : {};
}
