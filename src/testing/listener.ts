import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";

/** A WebSocket server that can go away and come back on the same port. */
export interface Listener {
  readonly port: number;
  /** Listens again. Does nothing while it listens. */
  open(): Promise<void>;
  /** Stops listening and resolves when every socket is gone; they are given a second to close, then cut off. */
  close(): Promise<void>;
}

/** What a {@link Listener} needs. Port 0 takes a free one. */
export interface ListenerOptions {
  readonly port: number;
  readonly maxPayload: number;
  readonly accept: (socket: WebSocket) => void;
}

const CLOSE_GRACE_MS = 1_000;

/** A {@link Listener} on 127.0.0.1 that is listening. */
export async function createListener({ port, maxPayload, accept }: ListenerOptions): Promise<Listener> {
  let server: WebSocketServer | undefined;
  let bound = port;

  async function open(): Promise<void> {
    if (server !== undefined) return;
    const opening = new WebSocketServer({ host: "127.0.0.1", port: bound, maxPayload, perMessageDeflate: false });
    opening.on("connection", accept);
    await new Promise<void>((resolve, reject) => opening.once("listening", resolve).once("error", reject));
    server = opening;
    bound = (opening.address() as AddressInfo).port;
  }

  async function close(): Promise<void> {
    const closing = server;
    if (closing === undefined) return;
    server = undefined;
    const cutOff = setTimeout(() => {
      for (const socket of closing.clients) socket.terminate();
    }, CLOSE_GRACE_MS);
    await new Promise<void>((resolve) => closing.close(() => resolve()));
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
