import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";

/** The limits of a small server. Each one holds for all clients together, or for one request. */
const MAX_SOCKETS = 64;
const MAX_HEADER_BYTES = 16_384;
const MAX_HEADERS = 100;
const MAX_REQUESTS_PER_SOCKET = 1_000;
/** How long a request may take to arrive completely, in ms. */
const REQUEST_MS = 10_000;
/** A socket that was idle for this long, in ms, is closed: its client may have stopped reading. */
const IDLE_MS = 30_000;
const KEEP_ALIVE_MS = 5_000;

/** What a server has counted since it started. */
export interface HttpCounts {
  /** Connections that are open now. */
  readonly connections: number;
  /**
   * Connections and requests that were refused: too many sockets, a second request before the first was answered, not
   * HTTP.
   */
  readonly refused: number;
  /** Requests whose handler threw. */
  readonly failed: number;
}

/** Answers a request. What it throws or rejects with is answered with 500. */
export type HttpHandler = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

export interface HttpServer {
  readonly port: number;
  counts(): HttpCounts;
  /** Ends every connection and frees the port. */
  close(): Promise<void>;
}

/**
 * Starts a small HTTP server that uses little memory whatever its clients do. It takes few sockets and one request at
 * a time on each, and closes sockets that are idle for long. When a handler throws, only its answer is lost. The server
 * keeps no process alive, unless `keepsAlive`.
 *
 * Rejects with Node's own error when the port is not free.
 */
export async function startHttpServer(
  host: string,
  port: number,
  handler: HttpHandler,
  keepsAlive = false,
): Promise<HttpServer> {
  let connections = 0;
  let refused = 0;
  let failed = 0;
  /** Sockets with a request that is not completely answered yet. */
  const busy = new WeakSet<Socket>();
  const server = createServer({
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: REQUEST_MS,
    requestTimeout: REQUEST_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    connectionsCheckingInterval: REQUEST_MS,
  });
  server.maxConnections = MAX_SOCKETS;
  server.maxHeadersCount = MAX_HEADERS;
  server.maxRequestsPerSocket = MAX_REQUESTS_PER_SOCKET;
  server.timeout = IDLE_MS;

  const refuse = (socket: Socket) => {
    refused += 1;
    socket.destroy();
  };
  server.on("connection", (socket) => {
    connections += 1;
    if (!keepsAlive) socket.unref();
    socket.on("close", () => {
      connections -= 1;
    });
  });
  server.on("drop", () => {
    refused += 1;
  });
  server.on("request", (request, response) => {
    const { socket } = request;
    if (socket.destroyed) return;
    // No browser and no scraper does this. Without a limit, the answers to thousands of requests would pile up unread.
    if (busy.has(socket)) return refuse(socket);
    busy.add(socket);
    response.on("finish", () => busy.delete(socket));
    // A client that leaves early is not an error.
    response.on("error", () => {});
    void answer(handler, request, response).then((isAnswered) => {
      if (!isAnswered) failed += 1;
    });
  });
  server.on("connect", (_request, socket) => refuse(socket as Socket));
  server.on("upgrade", (_request, socket) => refuse(socket as Socket));
  server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
    if (error.code === "ECONNRESET" || !socket.writable || busy.has(socket as Socket)) return refuse(socket as Socket);
    refused += 1;
    const status = error.code === "HPE_HEADER_OVERFLOW" ? "431 Request Header Fields Too Large" : "400 Bad Request";
    socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, () => socket.destroy());
  });

  await listen(server, host, port);
  if (!keepsAlive) server.unref();
  return {
    port: (server.address() as AddressInfo).port,
    counts: () => ({ connections, refused, failed }),
    close: () => close(server),
  };
}

/** Calls the handler, and answers with 500 when it throws. Resolves to whether the handler succeeded. Never rejects. */
export async function answer(
  handler: HttpHandler,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<boolean> {
  try {
    await handler(request, response);
    return true;
  } catch {
    if (response.headersSent) response.destroy();
    else response.writeHead(500, { "Content-Type": "text/plain; charset=utf-8" }).end("Something went wrong here.");
    return false;
  }
}

async function listen(server: Server, host: string, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
  server.on("error", () => {});
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
