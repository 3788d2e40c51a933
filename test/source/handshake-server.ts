import { once } from "node:events";
import type { AddressInfo } from "node:net";
import type { WebSocket } from "ws";
import { WebSocketServer } from "ws";

/** A `connect` or other request, as a client sent it. */
export interface SentRequest {
  readonly id: string;
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
}

/** Answers one request over its socket; `attempt` counts the connections from 1. */
export type Answerer = (request: SentRequest, ws: WebSocket, attempt: number) => void;

/** A server on a real socket that a test has answer as it likes, also as no Gateway should. */
export interface HandshakeServer extends AsyncDisposable {
  readonly url: string;
  /** The sockets, in the order in which they came. */
  readonly sockets: readonly WebSocket[];
  readonly connects: readonly SentRequest[];
  close(): Promise<void>;
}

export async function createHandshakeServer(answer: Answerer = sayHello): Promise<HandshakeServer> {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  const sockets: WebSocket[] = [];
  const connects: SentRequest[] = [];
  server.on("connection", (ws) => {
    const attempt = sockets.push(ws);
    ws.on("error", () => {});
    ws.on("message", (data) => {
      const request = JSON.parse(String(data)) as SentRequest;
      if (request.method === "connect") connects.push(request);
      answer(request, ws, attempt);
    });
    ws.send(
      JSON.stringify({ type: "event", event: "connect.challenge", payload: { nonce: "a-nonce", ts: Date.now() } }),
    );
  });
  await once(server, "listening");
  const close = async () => {
    for (const ws of sockets) ws.terminate();
    await new Promise((resolve) => server.close(resolve));
  };
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    sockets,
    connects,
    close,
    [Symbol.asyncDispose]: close,
  };
}

export const helloPayload = {
  type: "hello-ok",
  protocol: 4,
  server: { version: "2026.9.6" },
  auth: { role: "operator", scopes: ["operator.read"], deviceToken: "a-device-token" },
  policy: { maxPayload: 26_214_400, maxBufferedBytes: 52_428_800, tickIntervalMs: 30_000 },
};

export function sayHello({ id, method }: SentRequest, ws: WebSocket): void {
  if (method === "connect") accept(id, ws, helloPayload);
}

export function accept(id: string, ws: WebSocket, payload: unknown): void {
  ws.send(JSON.stringify({ type: "res", id, ok: true, payload }));
}

export function refuse(id: string, ws: WebSocket, error: object): void {
  ws.send(JSON.stringify({ type: "res", id, ok: false, error }));
}

export function sendChat(ws: WebSocket, seq: number): void {
  ws.send(chatFrame(seq));
}

export function chatFrame(seq: number): string {
  return JSON.stringify({ type: "event", event: "chat", payload: { runId: "r", state: "delta", seq }, seq });
}

/** Refuses the first connection as after too many failed sign-ins. Accepts the next. */
export function lockOutOnce(retryAfterMs: number): Answerer {
  return ({ id }, ws, attempt) => {
    if (attempt > 1) return accept(id, ws, helloPayload);
    refuse(id, ws, {
      code: "INVALID_REQUEST",
      message: "slow down",
      retryAfterMs,
      details: { code: "AUTH_RATE_LIMITED" },
    });
  };
}
