import type { Connection, FakeConnection } from "./connection.ts";
import type { CronJobs } from "./cron-jobs.ts";
import type { Dialect } from "./dialect.ts";
import type { Files } from "./files.ts";
import { type GatewayError, GatewayRefusal, invalidParams, missingScope, unknownMethod } from "./gateway-errors.ts";
import { gatewayKey } from "./gateway-key.ts";
import type { GatewayRequestFrame } from "./handshake.ts";
import { chatHistory, chatMessage, numberOr, requireKey } from "./history.ts";
import type { Speech } from "./speech.ts";
import type { Transcripts } from "./transcript.ts";
import { SESSION_DEFAULTS, sessionListRow, THINKING } from "./transcript-row.ts";

type Params = Readonly<Record<string, unknown>>;

/**
 * Answers one request with the payload that it returns or resolves with. A thrown `GatewayRefusal` is answered with its
 * error, any other error with `UNAVAILABLE` and its message.
 */
export type RpcHandler = (params: Params, connection: FakeConnection) => unknown;

/** What the methods work on. */
export interface RpcContext {
  readonly transcripts: Transcripts;
  readonly speech: Speech;
  readonly cronJobs: CronJobs;
  readonly files: Files;
  readonly now: () => number;
  readonly dialect: Dialect;
  /** What an agent answers to `chat.send`. */
  readonly reply: (message: string, params: Params) => string;
}

interface Method {
  readonly scope: "operator.read" | "operator.write";
  /** Work that is given to `after` begins once the answer is sent. */
  readonly answer: (params: Params, connection: Connection, after: (work: () => void) => void) => unknown;
}

/** The methods of a fake Gateway. */
export interface Rpc {
  readonly methods: readonly string[];
  /** Has `handler` answer a method, known or new. */
  respond(method: string, handler: RpcHandler): void;
  /** Answers `request` on its connection. */
  handle(connection: Connection, request: GatewayRequestFrame): Promise<void>;
}

/** {@link Rpc} with the methods that an inbox calls. */
export function createRpc(context: RpcContext): Rpc {
  const { dialect } = context;
  const methods = new Map<string, Method>(Object.entries({ ...sessionMethods(context), ...chatMethods(context) }));
  const own = new Map<string, RpcHandler>();

  async function result(
    connection: Connection,
    request: GatewayRequestFrame,
    after: (work: () => void) => void,
  ): Promise<unknown> {
    const { method, params } = request;
    const handler = own.get(method);
    if (handler !== undefined) return handler(params, connection);
    const known = dialect.knows(method) ? methods.get(method) : undefined;
    if (known === undefined) throw new GatewayRefusal(unknownMethod(method));
    if (!allows(connection.scopes, known.scope)) throw new GatewayRefusal(missingScope(known.scope));
    return dialect.answer(method, await known.answer(dialect.params(method, params), connection, after));
  }

  return {
    get methods() {
      return [...new Set([...[...methods.keys()].filter(dialect.knows), ...own.keys()])];
    },
    respond(method, handler) {
      own.set(method, handler);
    },
    async handle(connection, request) {
      const afterwards: (() => void)[] = [];
      const answer = await result(connection, request, (work) => afterwards.push(work)).then(
        (payload) => ({ ok: true, payload }),
        (error: unknown) => ({ ok: false, error: asGatewayError(error) }),
      );
      connection.raw(JSON.stringify({ type: "res", id: request.id, ...answer }));
      for (const work of afterwards) work();
    },
  };
}

function sessionMethods({ transcripts, cronJobs, files, now }: RpcContext): Record<string, Method> {
  return {
    "sessions.subscribe": read((params, connection) => {
      connection.roster = true;
      const asksForList = Object.keys(params).length > 0;
      return { subscribed: true, ...(asksForList ? { list: listSessions(transcripts, params, now()) } : {}) };
    }),
    "sessions.messages.subscribe": read((params, connection) => {
      const key = gatewayKey(requireKey(params, "sessions.messages.subscribe", "key"));
      connection.subscriptions.add(key);
      return { subscribed: true, key };
    }),
    "sessions.messages.unsubscribe": read((params, connection) => {
      const key = gatewayKey(requireKey(params, "sessions.messages.unsubscribe", "key"));
      connection.subscriptions.delete(key);
      return { subscribed: false, key };
    }),
    "sessions.list": read((params) => listSessions(transcripts, params, now())),
    "cron.list": read((params) => cronJobs.list(params)),
    "cron.runs": read((params) => cronJobs.runs(params)),
    "artifacts.list": read((params) => files.list(params)),
    "artifacts.download": read((params) => files.download(params)),
  };
}

function chatMethods({ transcripts, speech, reply, now, dialect }: RpcContext): Record<string, Method> {
  const asked = new Set<string>();
  return {
    "chat.history": read((params) => chatHistory(transcripts, params, now(), dialect.rows)),
    "chat.message.get": read((params) => chatMessage(transcripts, params)),
    "chat.send": write((params, _connection, after) => {
      const sessionKey = requireKey(params, "chat.send", "sessionKey");
      const runId = requireKey(params, "chat.send", "idempotencyKey");
      const { message } = params;
      if (typeof message !== "string")
        throw new GatewayRefusal(invalidParams("chat.send", "at /message: must be string"));
      // A repeated idempotency key starts no second run.
      if (!asked.has(runId))
        after(() => speech.say(reply(message, params), { sessionKey, runId, origin: "send", prompt: message }));
      asked.add(runId);
      return { runId, status: "started" };
    }),
    "chat.inject": write((params) => {
      const sessionKey = requireKey(params, "chat.inject", "sessionKey");
      const message = requireKey(params, "chat.inject", "message");
      const { label } = params;
      const text = typeof label === "string" ? `[${label}]\n\n${message}` : message;
      return { ok: true, messageId: speech.say(text, { sessionKey, origin: "inject" }).slice("inject-".length) };
    }),
    "chat.abort": write((params) => {
      const sessionKey = gatewayKey(requireKey(params, "chat.abort", "sessionKey"));
      const running = [...(transcripts.find(sessionKey)?.running.keys() ?? [])];
      const runIds = running.filter((runId) => params["runId"] === undefined || params["runId"] === runId);
      for (const runId of runIds) speech.running(runId)?.abort();
      return { ok: true, aborted: runIds.length > 0, runIds };
    }),
  };
}

function listSessions(transcripts: Transcripts, params: Params, now: number): object {
  const all = transcripts.sessions();
  const offset = numberOr(params["offset"], 0);
  const limit = numberOr(params["limit"], 100);
  const sessions = all.slice(offset, offset + limit).map((session) => sessionListRow(session, now));
  const hasMore = offset + sessions.length < all.length;
  return {
    ts: now,
    path: "fake-gateway",
    count: sessions.length,
    totalCount: all.length,
    limitApplied: limit,
    nextOffset: hasMore ? offset + sessions.length : null,
    hasMore,
    owners: [{ type: "agent", id: "main", identity: { type: "agent", id: "main" } }],
    defaults: { ...SESSION_DEFAULTS, ...THINKING },
    sessions,
  };
}

function read(answer: Method["answer"]): Method {
  return { scope: "operator.read", answer };
}

function write(answer: Method["answer"]): Method {
  return { scope: "operator.write", answer };
}

/** Whether `scopes` include `scope`. Write includes read; admin includes both. */
export function allows(scopes: readonly string[], scope: "operator.read" | "operator.write"): boolean {
  return (
    scopes.includes(scope) ||
    scopes.includes("operator.admin") ||
    (scope === "operator.read" && scopes.includes("operator.write"))
  );
}

function asGatewayError(error: unknown): GatewayError {
  if (error instanceof GatewayRefusal) return error.error;
  return { code: "UNAVAILABLE", message: error instanceof Error ? error.message : String(error) };
}
