import type { ServerResponse } from "node:http";
import { assertKnownKeys, optionError } from "../errors.ts";
import type { Inbox } from "../inbox-api.ts";
import { type Clock, systemClock } from "../kit/clock.ts";
import { createMetricsText } from "../metrics/text.ts";
import type { Session } from "../types.ts";
import { inspectorFiles, readAssets } from "./assets.ts";
import { ownFilesOnly } from "./guard.ts";
import { listenOnLoopback, reply } from "./loopback.ts";
import { Pages } from "./pages.ts";

/** How an inspector is set up. */
export interface InspectorOptions {
  /** The port on 127.0.0.1, from 0 to 65,535. Default 0: a free one, see {@link Inspector.url}. */
  readonly port?: number;
  /**
   * Show message texts; whoever has the address can read them then. Default false: only how long
   * they are. Ids, session keys, and errors of handlers and Gateways are shown either way.
   */
  readonly showText?: boolean;
  /**
   * The secret part of the address: 16 to 128 characters of `[A-Za-z0-9_-]`. Default: a random one, new at each
   * start. Give one to keep the address over restarts.
   */
  readonly token?: string;
  /** The inbox's clock, where it was given one. Default: the system's. */
  readonly clock?: Clock;
}

/** A running inspector. */
export interface Inspector extends AsyncDisposable {
  /** The page's address, with its token: `http://127.0.0.1:PORT/TOKEN/`. Whoever has it can look. */
  readonly url: string;
  /** Where Prometheus finds the counters, without a token: `http://127.0.0.1:PORT/metrics`. */
  readonly metricsUrl: string;
  readonly port: number;
  /** Whether the inbox is being watched: while a page is open, and for 30 s after. */
  readonly watching: boolean;
  /** Ends every page and lets go of the port. The inbox goes on. Idempotent. */
  close(): Promise<void>;
}

/**
 * Serves a page that shows what goes on in an inbox, on loopback only, for reading only. The inbox is
 * watched while a page is open and for 30 s after; else it costs nothing. Keeps no process alive.
 *
 * @throws {InboxError} `ERR_INBOX_OPTION` for a wrong option, and when the port cannot be had.
 */
export async function createInspector<S extends Session>(
  inbox: Inbox<S>,
  options: InspectorOptions = {},
): Promise<Inspector> {
  assertKnownKeys("createInspector", options, ["port", "showText", "token", "clock"]);
  const { port = 0, showText = false, token, clock = systemClock } = options;
  if (typeof showText !== "boolean") throw optionError("showText", "a boolean", showText);
  const watched = inbox as unknown as Inbox;
  const assets = readAssets(inspectorFiles);
  const pages = new Pages(watched, clock, showText);
  const metrics = createMetricsText(watched, clock);
  const server = await listenOnLoopback({
    port,
    token,
    contentSecurityPolicy: ownFilesOnly,
    answer(name, query, response) {
      if (name === "updates") {
        pages.open(response);
        return true;
      }
      if (name === "run") return replyDetails(pages, response, Number(query.get("id")));
      const asset = assets.get(name === "" ? "index.html" : name);
      if (asset !== undefined) reply(response, 200, asset.body, asset.type);
      return asset !== undefined;
    },
    open: {
      // No token: a scraper's configuration is no place for one, and counters tell nobody's words.
      metrics: (response) => reply(response, 200, metrics.render(), "text/plain; version=0.0.4; charset=utf-8"),
    },
  });

  let closed: Promise<void> | undefined;
  const close = () => {
    pages.close();
    metrics.close();
    closed ??= server.close();
    return closed;
  };
  return {
    url: `${server.origin}/${server.token}/`,
    metricsUrl: `${server.origin}/metrics`,
    port: server.port,
    get watching() {
      return pages.watching;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function replyDetails(pages: Pages, response: ServerResponse, id: number): boolean {
  const details = pages.details(id);
  if (details !== undefined) reply(response, 200, JSON.stringify(details), "application/json; charset=utf-8");
  return details !== undefined;
}
