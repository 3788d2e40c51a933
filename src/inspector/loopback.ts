import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { InboxError, optionError } from "../errors.ts";
import { refusalOf, safeHeaders, sameSecret } from "./guard.ts";

/** Where a loopback server listens. */
export interface LoopbackOptions {
  /** From 0 (a free one) to 65,535. */
  readonly port: number;
  /** The secret part of the address: 16 to 128 characters of `[A-Za-z0-9_-]`. Default: a random one. */
  readonly token?: string | undefined;
  readonly contentSecurityPolicy: string;
  /** Answers what lies beneath the token; `name` is empty for the page itself. False: there is no such thing. */
  readonly answer: (name: string, query: URLSearchParams, response: ServerResponse) => boolean;
  /** Answers `/NAME`, without the token, for names that need none. */
  readonly open?: Readonly<Record<string, (response: ServerResponse) => void>>;
}

/** A server for eyes on this machine. */
export interface LoopbackServer {
  /** `http://127.0.0.1:PORT` */
  readonly origin: string;
  readonly port: number;
  readonly token: string;
  close(): Promise<void>;
}

/**
 * Listens on 127.0.0.1 only, checks where each request comes from, and lets in whoever knows the token.
 * Keeps no process alive.
 *
 * @throws {InboxError} `ERR_INBOX_OPTION` for a wrong port or token, and when the port cannot be had.
 */
export async function listenOnLoopback(options: LoopbackOptions): Promise<LoopbackServer> {
  const { port, token = randomBytes(24).toString("base64url") } = options;
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw optionError("port", "an integer from 0 to 65535", port);
  // Not quoted: it is a secret.
  if (!/^[\w-]{16,128}$/.test(token)) throw optionError("token", "16 to 128 characters of [A-Za-z0-9_-]", {});
  const server = createServer((request, response) => handle(request, response, token, options));
  const bound = await listen(server, port);
  return { origin: `http://127.0.0.1:${bound}`, port: bound, token, close: () => close(server) };
}

function handle(request: IncomingMessage, response: ServerResponse, token: string, options: LoopbackOptions): void {
  for (const [name, value] of Object.entries(safeHeaders)) response.setHeader(name, value);
  response.setHeader("Content-Security-Policy", options.contentSecurityPolicy);
  const refusal = refusalOf(request);
  if (refusal !== undefined) return reply(response, refusal.status, refusal.text);
  const { pathname, searchParams } = locationOf(request);
  const [, first = "", name, ...rest] = pathname.split("/");
  const open = options.open?.[first];
  if (open !== undefined && name === undefined) return open(response);
  const known = sameSecret(first, token) && rest.length === 0;
  if (known && name === undefined) {
    // Relative addresses of the page need the slash.
    response.setHeader("Location", `/${token}/`);
    return reply(response, 308, "");
  }
  if (!known || !options.answer(name ?? "", searchParams, response)) reply(response, 404, "Nothing here.");
}

/** The path and the query. A request may carry any text in their place. */
function locationOf({ url = "/" }: IncomingMessage): URL {
  const base = "http://localhost";
  return URL.canParse(url, base) ? new URL(url, base) : new URL(base);
}

/** Answers with a whole body; a `HEAD` request gets its headers only. */
export function reply(
  response: ServerResponse,
  status: number,
  body: string | Buffer,
  type = "text/plain; charset=utf-8",
): void {
  response.writeHead(status, { "Content-Type": type, "Content-Length": Buffer.byteLength(body) });
  response.end(response.req.method === "HEAD" ? undefined : body);
}

/** Begins a stream of server-sent events that a browser comes back to after a second. False when only its headers were asked for. */
export function beginEventStream(response: ServerResponse): boolean {
  response.writeHead(200, { "Content-Type": "text/event-stream; charset=utf-8" });
  if (response.req.method === "HEAD") {
    response.end();
    return false;
  }
  response.write("retry: 1000\n\n");
  return true;
}

async function listen(server: Server, port: number): Promise<number> {
  server.on("connection", (socket) => socket.unref());
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const text = `Cannot listen on port ${port} of 127.0.0.1: ${cause.code ?? cause.message}`;
      reject(new InboxError("ERR_INBOX_OPTION", text, { option: "port" }, cause));
    });
    server.listen(port, "127.0.0.1", resolve);
  });
  server.unref();
  return (server.address() as AddressInfo).port;
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
