import { once } from "node:events";
import { WebSocket } from "ws";
import type { FakeGateway } from "../../src/testing/index.ts";

export type Frame = {
  readonly type: string;
  readonly id?: string;
  readonly event?: string;
  readonly seq?: number;
  readonly ok?: boolean;
  // biome-ignore lint/suspicious/noExplicitAny: tests read into whatever was answered
  readonly payload?: any;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  readonly error?: any;
};

/** A bare client: keeps every message, and can wait for one. */
export interface Client {
  readonly socket: WebSocket;
  readonly frames: Frame[];
  readonly events: (name: string) => Frame[];
  /** The first frame, past or to come, that matches. */
  readonly frame: (matches: (frame: Frame) => boolean) => Promise<Frame>;
  readonly event: (name: string) => Promise<Frame>;
  readonly request: (method: string, params?: object) => Promise<Frame>;
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
}

const SCOPES = ["operator.read", "operator.write"];

export async function openClient(url: string): Promise<Client> {
  const socket = new WebSocket(url);
  const frames: Frame[] = [];
  const waiting = new Set<() => void>();
  let lastId = 0;
  socket.on("message", (data, isBinary) => {
    if (!isBinary) frames.push(parsed(String(data)));
    for (const look of [...waiting]) look();
  });
  const frame: Client["frame"] = (matches) =>
    new Promise((resolve) => {
      const look = () => {
        const found = frames.find(matches);
        if (found === undefined) return;
        waiting.delete(look);
        resolve(found);
      };
      waiting.add(look);
      look();
    });
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.on("close", (code, reason) => resolve({ code, reason: String(reason) }));
  });
  await once(socket, "open");
  return {
    socket,
    frames,
    frame,
    events: (name) => frames.filter(({ event }) => event === name),
    event: (name) => frame(({ event }) => event === name),
    request(method, params = {}) {
      lastId += 1;
      const id = `${lastId}`;
      socket.send(JSON.stringify({ type: "req", id, method, params }));
      return frame((one) => one.type === "res" && one.id === id);
    },
    closed,
  };
}

export const connectParams = (token: string | undefined, scopes: readonly string[] = SCOPES) => ({
  minProtocol: 4,
  maxProtocol: 4,
  client: { id: "gateway-client", version: "1.0.0", platform: "linux", mode: "backend" },
  caps: [],
  role: "operator",
  scopes,
  ...(token === undefined ? {} : { auth: { token } }),
});

/** A client past hello. */
export async function connectClient(gateway: FakeGateway, scopes?: readonly string[]): Promise<Client> {
  const client = await openClient(gateway.url);
  await client.event("connect.challenge");
  const hello = await client.request("connect", connectParams(gateway.token, scopes));
  if (hello.ok !== true) throw new Error(JSON.stringify(hello.error));
  return client;
}

function parsed(text: string): Frame {
  try {
    return JSON.parse(text) as Frame;
  } catch {
    return { type: "garbage" };
  }
}
