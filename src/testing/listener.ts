import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";

/** A WebSocket server that can stop and start again on the same port. */
export interface Listener {
  readonly port: number;
  /** Listens again. Does nothing while it listens. */
  open(): Promise<void>;
  /** Stops listening. Resolves when every socket is gone; those still open after a second are cut off. */
  close(): Promise<void>;
}

/** The options of a {@link Listener}. Port 0 is a free one; `maxPayload` is in bytes. */
export interface ListenerOptions {
  readonly port: number;
  readonly maxPayload: number;
  readonly accept: (socket: WebSocket) => void;
  /** Answers a plain HTTP request. */
  readonly serve: (request: IncomingMessage, response: ServerResponse) => void;
}

const CLOSE_GRACE_MS = 1_000;

/** A {@link Listener} on 127.0.0.1 that listens. Rejects when the port cannot be used. */
export async function createListener({ port, maxPayload, accept, serve }: ListenerOptions): Promise<Listener> {
  let server: { readonly http: Server; readonly sockets: WebSocketServer } | undefined;
  let bound = port;

  async function open(): Promise<void> {
    if (server !== undefined) return;
    const http = createServer(serve);
    const sockets = new WebSocketServer({ server: http, maxPayload, perMessageDeflate: false });
    sockets.on("connection", accept);
    const listening = new Promise<void>((resolve, reject) => sockets.once("listening", resolve).once("error", reject));
    http.listen(bound, "127.0.0.1");
    await listening;
    server = { http, sockets };
    bound = (http.address() as AddressInfo).port;
  }

  async function close(): Promise<void> {
    const closing = server;
    if (closing === undefined) return;
    server = undefined;
    const cutOff = setTimeout(() => {
      for (const socket of closing.sockets.clients) socket.terminate();
    }, CLOSE_GRACE_MS);
    const gone = new Promise<void>((resolve) => closing.http.close(() => resolve()));
    await new Promise<void>((resolve) => closing.sockets.close(() => resolve()));
    closing.http.closeAllConnections();
    await gone;
    clearTimeout(cutOff);
  }

  await open();
  return {
    get port() {
      return bound;
    },
    open,
    close,
  };
}
