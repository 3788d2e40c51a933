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

/** How an inspector is set up. */
export interface InspectorOptions {
  /**
   * The port on 127.0.0.1, from 0 to 65,535. Default 0: a free one, see {@link Inspector.url}.
   */
  readonly port?: number;
  /**
   * Show message texts; whoever can open the page can read them then. Default false: only how long they are. Ids and
   * session keys are shown either way, and of errors what quotes no message.
   */
  readonly showText?: boolean;
  /** Let the page deliver dead letters anew. Default false: it may only look. */
  readonly allowActions?: boolean;
  /**
   * The secret part of the address: 16 to 128 characters of `[A-Za-z0-9_-]`. Default: a random one, new at each
   * start. Give one to keep the address over restarts.
   */
  readonly token?: string;
  /** The inbox's clock, where it was given one. Default: the system's. */
  readonly clock?: Clock;
}

/** How an inspector is set up that has no port of its own: it is mounted in a server of the host's. */
export interface MountOptions extends Omit<InspectorOptions, "port" | "token"> {
  readonly port: false;
  /**
   * Where the handler is mounted, for a host's server that leaves that part in `request.url`, as Node's own and Fastify's
   * do: `"/inbox"`. Default `""`, for those that take it off, as Express does.
   */
  readonly path?: string;
}

/** What an inspector's servers turned away, since it was created. */
export interface InspectorStats {
  /** Pages that are open. */
  readonly pages: number;
  /** Connections to its port that are open. */
  readonly connections: number;
  /** Updates that were not sent to a page too far behind. */
  readonly skipped: number;
  /** Pages that were closed, since they did not read for 30 s. */
  readonly dropped: number;
  /** Connections and requests that were cut off: too many, no HTTP, or a second one before the first was answered. */
  readonly refused: number;
  /** Requests that were answered with 500. */
  readonly failed: number;
}

/** An inspector without a server of its own. */
export interface MountableInspector extends AsyncDisposable {
  /**
   * Answers the page's requests in a server of the host's own: Node's, Express's, Connect's. The host says who may look,
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
  /** Ends every page and lets go of the port. The inbox goes on. Idempotent. */
  close(): Promise<void>;
}

/** A running inspector. */
export interface Inspector extends MountableInspector {
  /** The page's address, with its token: `http://127.0.0.1:PORT/TOKEN/`. Whoever has it can look. */
  readonly url: string;
  /** Where Prometheus finds the counters, without a token: `http://127.0.0.1:PORT/metrics`. */
  readonly metricsUrl: string;
  readonly port: number;
}

/**
 * Serves a page that shows what goes on in an inbox: on loopback, or in a server of the host's own. It remembers the
 * last 1,000 settled runs; each event of each run is watched only while a page is open and for 30 s after. Keeps no
 * process alive.
 *
 * @throws {InboxError} `ERR_INBOX_OPTION` for a wrong option, and when the port cannot be had.
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
          // No token: a scraper's configuration is no place for one, and counters tell nobody's words.
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
    if (page === undefined) reply(response, 503, "Too many questions at once.");
    else replyJson(response, 200, page);
  } catch (error) {
    // The ledger says so itself, in the log and as an alarm.
    reply(response, 503, isInboxError(error) ? error.code : "The ledger does not answer.");
  }
}

async function redeliver(
  { query, request, response }: Question,
  letters: DeadLetters,
  action: string | undefined,
): Promise<void> {
  if (action === undefined) return reply(response, 403, "This page may only look: `allowActions` is not set.");
  const refusal = refusalOfAction(request, action);
  if (refusal !== undefined) return reply(response, refusal.status, refusal.text);
  try {
    const isDone = await letters.redeliver(query.get("id") ?? "");
    replyJson(response, isDone ? 200 : 404, { redelivered: isDone });
  } catch (error) {
    reply(response, 503, isInboxError(error) ? error.code : "The ledger does not answer.");
  }
}
