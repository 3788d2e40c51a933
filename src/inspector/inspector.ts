import { randomBytes } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { assertKnownKeys, isInboxError, optionError } from "../errors.ts";
import type { Inbox } from "../inbox-api.ts";
import { type Clock, systemClock } from "../kit/clock.ts";
import { createMetricsText } from "../metrics/text.ts";
import type { Session } from "../types.ts";
import { assetRoutes, inspectorFiles } from "./assets.ts";
import { DeadLetters } from "./dead-letters.ts";
import { FollowedRuns } from "./followed-runs.ts";
import { ownFilesOnly, refusalOfAction } from "./guard.ts";
import { listenOnLoopback } from "./loopback.ts";
import { mountable } from "./mount.ts";
import { Pages } from "./pages.ts";
import { type Question, type Route, reply, replyJson } from "./routes.ts";
import { wantedRuns } from "./search.ts";
import { followEnds } from "./watch.ts";

/** Options of {@link createInspector}. */
export interface InspectorOptions {
  /**
   * The port on 127.0.0.1, from 0 to 65,535. Default 0: a free one, see {@link Inspector.url}.
   */
  readonly port?: number;
  /**
   * Show message texts. Anyone who can open the page can then read them. Default false: only their lengths are shown.
   * Ids and session keys are always shown, and so are errors, except for words of a message.
   */
  readonly showText?: boolean;
  /** Let the page deliver dead letters again. Default false: the page only shows. */
  readonly allowActions?: boolean;
  /**
   * The secret part of the address: 16 to 128 characters of `[A-Za-z0-9_-]`. Default: random, new at each start. Set it
   * to keep the address over restarts.
   */
  readonly token?: string;
  /** The inbox's clock, if the inbox was given one. Default: the system's. */
  readonly clock?: Clock;
}

/** Options of an inspector without a port, which is mounted in the host's own server. */
export interface MountOptions extends Omit<InspectorOptions, "port" | "token"> {
  readonly port: false;
  /**
   * Where the handler is mounted. Needed by servers that leave this part in `request.url`, such as Node's and
   * Fastify's: `"/inbox"`. Default `""`, for servers that remove it, such as Express.
   */
  readonly path?: string;
}

/** What an inspector has refused since it was created. */
export interface InspectorStats {
  /** Open pages. */
  readonly pages: number;
  /** Open connections to its port. */
  readonly connections: number;
  /** Updates that were not sent because the page was too far behind. */
  readonly skipped: number;
  /** Pages that were closed because they did not read for 30 s. */
  readonly dropped: number;
  /**
   * Connections and requests that were cut off: too many, not HTTP, or a second request before the first was answered.
   */
  readonly refused: number;
  /** Requests that were answered with 500. */
  readonly failed: number;
}

/** An inspector without its own server. */
export interface MountableInspector extends AsyncDisposable {
  /**
   * Answers the page's requests in the host's own server: Node's, Express's, Connect's. The host checks who may look
   * before it calls this.
   *
   * @example
   * const inspector = await createInspector(inbox, { port: false });
   * app.use("/inbox", onlyAdmins, inspector.handler);
   */
  readonly handler: (request: IncomingMessage, response: ServerResponse) => Promise<void>;
  /** Whether each event is being watched: while a page is open, and for 30 s after. */
  readonly watching: boolean;
  stats(): InspectorStats;
  /** Closes every page and frees the port. The inbox goes on. Idempotent. */
  close(): Promise<void>;
}

/** A running inspector. */
export interface Inspector extends MountableInspector {
  /** The page's address with its token: `http://127.0.0.1:PORT/TOKEN/`. Anyone who has it can look. */
  readonly url: string;
  /** The address of the counters for Prometheus, without a token: `http://127.0.0.1:PORT/metrics`. */
  readonly metricsUrl: string;
  readonly port: number;
}

/**
 * Serves a page that shows what happens in an inbox, on loopback or in the host's own server. It remembers the last
 * 1,000 settled runs. Single events are watched only while a page is open, and for 30 s after. It keeps no process
 * alive.
 *
 * @throws {InboxError} `ERR_INBOX_OPTION` for a wrong option, and when the port is not free.
 *
 * @example
 * const inspector = await createInspector(inbox, { port: 4000 });
 * console.log(inspector.url); // http://127.0.0.1:4000/aRandomToken/
 */
export async function createInspector<S extends Session>(
  inbox: Inbox<S>,
  options: MountOptions,
): Promise<MountableInspector>;
export async function createInspector<S extends Session>(
  inbox: Inbox<S>,
  options?: InspectorOptions,
): Promise<Inspector>;
export async function createInspector<S extends Session>(
  inbox: Inbox<S>,
  options: InspectorOptions | MountOptions = {},
): Promise<MountableInspector | Inspector> {
  assertOptions(options);
  const {
    port = 0,
    path = "",
    token,
    showText = false,
    allowActions = false,
    clock = systemClock,
  }: AnyOptions = options;
  const watched = inbox as unknown as Inbox;
  const runs = new FollowedRuns(showText);
  const following = followEnds(watched, clock, runs);
  const action = allowActions ? randomBytes(24).toString("base64url") : undefined;
  const pages = new Pages(watched, clock, runs, { showText, action });
  const metrics = createMetricsText(watched, clock);
  const letters = new DeadLetters(watched, showText);
  const metricsRoute: Route = {
    answer: ({ response }) => reply(response, 200, metrics.render(), "text/plain; version=0.0.4; charset=utf-8"),
  };
  const routes = new Map<string, Route>([
    ...assetRoutes(inspectorFiles),
    ["metrics", metricsRoute],
    ["updates", { answer: ({ response }) => pages.open(response) }],
    ["run", { answer: (question) => replyRun(question, runs, clock) }],
    ["runs", { answer: ({ query, response }) => replyJson(response, 200, wantedRuns(runs, query, clock.now())) }],
    ["dead", { answer: (question) => replyDead(question, letters) }],
    ["redeliver", { method: "POST", answer: (question) => redeliver(question, letters, action) }],
  ]);
  let failed = 0;
  const handler = mountable(routes, ownFilesOnly, path, () => {
    failed += 1;
  });
  const server =
    port === false
      ? undefined
      : await listenOnLoopback({
          port,
          token,
          policy: ownFilesOnly,
          routes,
          // No token: a scraper's configuration should not need a secret, and counters hold no text.
          open: new Map([["metrics", metricsRoute]]),
        });

  let closed: Promise<void> | undefined;
  const close = () => {
    following.unsubscribe();
    pages.close();
    metrics.close();
    closed ??= server?.close() ?? Promise.resolve();
    return closed;
  };
  const mountableInspector: MountableInspector = {
    handler: async (request, response) => handler(request, response),
    get watching() {
      return pages.watching;
    },
    stats() {
      const counts = server?.counts();
      const { size, skipped, dropped } = pages;
      return {
        pages: size,
        connections: counts?.connections ?? 0,
        skipped,
        dropped,
        refused: counts?.refused ?? 0,
        failed: failed + (counts?.failed ?? 0),
      };
    },
    close,
    [Symbol.asyncDispose]: close,
  };
  if (server === undefined) return mountableInspector;
  const { origin } = server;
  const addresses = { url: `${origin}/${server.token}/`, metricsUrl: `${origin}/metrics`, port: server.port };
  return Object.assign(mountableInspector, addresses);
}

type AnyOptions = Omit<InspectorOptions, "port"> & { readonly port?: number | false; readonly path?: string };

function assertOptions(options: AnyOptions): void {
  assertKnownKeys("createInspector", options, ["port", "path", "showText", "allowActions", "token", "clock"]);
  const { showText = false, allowActions = false, path = "" } = options;
  for (const [name, value] of Object.entries({ showText, allowActions }))
    if (typeof value !== "boolean") throw optionError(name, "a boolean", value);
  if (typeof path !== "string" || !/^(?:\/[\w.~-]+)*$/.test(path))
    throw optionError("path", 'a path without a slash at its end, such as "/inbox"', path);
}

function replyRun({ query, response }: Question, runs: FollowedRuns, clock: Clock): void {
  const details = runs.details(Number(query.get("number") ?? Number.NaN), clock.now());
  if (details === undefined) reply(response, 404, "Nothing here.");
  else replyJson(response, 200, details);
}

async function replyDead({ query, response }: Question, letters: DeadLetters): Promise<void> {
  try {
    const page = await letters.page(query.get("after") ?? "");
    if (page === undefined) reply(response, 503, "Too many requests at once.");
    else replyJson(response, 200, page);
  } catch (error) {
    // The ledger has already logged the error and raised an alarm.
    reply(response, 503, isInboxError(error) ? error.code : "The ledger does not answer.");
  }
}

async function redeliver(
  { query, request, response }: Question,
  letters: DeadLetters,
  action: string | undefined,
): Promise<void> {
  if (action === undefined) return reply(response, 403, "This page may only show: `allowActions` is not set.");
  const refusal = refusalOfAction(request, action);
  if (refusal !== undefined) return reply(response, refusal.status, refusal.text);
  try {
    const isDone = await letters.redeliver(query.get("id") ?? "");
    replyJson(response, isDone ? 200 : 404, { redelivered: isDone });
  } catch (error) {
    reply(response, 503, isInboxError(error) ? error.code : "The ledger does not answer.");
  }
}
