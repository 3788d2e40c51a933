import type { IncomingMessage, ServerResponse } from "node:http";
import type { Inbox } from "../inbox-api.ts";
import { systemClock } from "../kit/clock.ts";
import { type HttpHandler, type HttpServer, startHttpServer } from "../kit/http-server.ts";
import { createMetricsText } from "../metrics/text.ts";
import { UsageError } from "./usage-error.ts";

/** Where a server listens. */
export interface ServeAddress {
  readonly host: string;
  readonly port: number;
}

/** A server for supervisors and scrapers. */
export interface HealthServer extends AsyncDisposable {
  /** `http://HOST:PORT` */
  readonly url: string;
}

/**
 * Reads `PORT` (on this machine only), `HOST:PORT` or `[IPv6]:PORT`.
 *
 * @throws {UsageError} for anything else. The error calls the option `name`.
 */
export function readServeAddress(text: string, name: string): ServeAddress {
  const [, bracketed, plain, digits = ""] = /^(?:(?:\[([^\]]+)\]|([^:[\]]+)):)?(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (digits === "" || port > 65_535)
    throw new UsageError(`Expected \`${name}\` to be PORT or HOST:PORT, got \`${text.slice(0, 60)}\``);
  return { host: bracketed ?? plain ?? "127.0.0.1", port };
}

/**
 * Answers `/healthz` (this process runs), `/readyz` (every link is live, else 503) and `/metrics` (Prometheus). No
 * answer has a text, a session key or a secret.
 *
 * @throws {UsageError} when the address is not free.
 */
export async function serveHealth(inbox: Inbox, { host, port }: ServeAddress): Promise<HealthServer> {
  const metrics = createMetricsText(inbox, systemClock);
  const answers: ReadonlyMap<string, () => Answer> = new Map([
    ["/healthz", () => ({ status: 200, body: "ok\n" })],
    ["/readyz", () => readiness(inbox)],
    ["/metrics", () => ({ status: 200, body: metrics.render(), type: "text/plain; version=0.0.4; charset=utf-8" })],
  ]);
  const { port: bound, close } = await listen(host, port, (request, response) => respond(request, response, answers));
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${bound}`,
    async [Symbol.asyncDispose]() {
      metrics.close();
      await close();
    },
  };
}

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly type?: string;
}

function readiness(inbox: Inbox): Answer {
  const links = inbox.links();
  // A link that is `recovering` hears everything already.
  const ready = links.every(({ state }) => state === "live" || state === "recovering");
  const lines = links.map(
    ({ gateway, owner, state }) => `${gateway}${owner === undefined ? "" : ` (${owner})`}: ${state}`,
  );
  return { status: ready ? 200 : 503, body: `${lines.join("\n")}\n` };
}

function respond(request: IncomingMessage, response: ServerResponse, answers: ReadonlyMap<string, () => Answer>): void {
  const { status, body, type = "text/plain; charset=utf-8" } = answerTo(request, answers);
  response.writeHead(status, {
    "Content-Type": type,
    "Content-Length": Buffer.byteLength(body),
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    Connection: "close",
  });
  response.end(request.method === "HEAD" ? undefined : body);
}

function answerTo({ method, url = "" }: IncomingMessage, answers: ReadonlyMap<string, () => Answer>): Answer {
  if (method !== "GET" && method !== "HEAD") return { status: 405, body: "Read only.\n" };
  const [path = ""] = url.split("?");
  return answers.get(path)?.() ?? { status: 404, body: `There are ${[...answers.keys()].join(", ")}.\n` };
}

async function listen(host: string, port: number, handler: HttpHandler): Promise<HttpServer> {
  try {
    return await startHttpServer(host, port, handler, true);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new UsageError(`Cannot serve on ${host}:${port}: ${code ?? message}`);
  }
}
