import { once } from "node:events";
import { WebSocket } from "ws";
import { createInbox, gatewaySource, webSocketSource } from "../src/index.ts";
import { startPeer } from "./peer.ts";
import { type Cost, Stopwatch } from "./stopwatch.ts";

/** What to measure in one process. */
export interface SocketTask {
  readonly rival: "ws" | "webSocketSource" | "gatewaySource";
  readonly frames: number;
}

const hello = {
  type: "req",
  id: "1",
  method: "connect",
  params: {
    minProtocol: 4,
    maxProtocol: 4,
    client: { id: "gateway-client", version: "1", platform: "node", mode: "backend" },
    role: "operator",
    scopes: ["operator.read"],
    auth: { token: "bench" },
  },
};

/** Counts the frames that came. An event reports each. */
interface Listener {
  readonly count: () => number;
  readonly close: () => Promise<void> | void;
}

/** Frames of delta-heavy traffic from a Gateway in another process, over a loopback WebSocket. */
export async function measureSockets({ rival, frames }: SocketTask): Promise<Cost> {
  const peer = startPeer("./socket-peer.js");
  const [address] = (await once(peer.stdout, "data")) as [Buffer];
  const listener = await listeners[rival](String(address).trim());
  const stopwatch = new Stopwatch();
  const receive = async (count: number) => {
    const until = listener.count() + count;
    peer.stdin.write(`${count}\n`);
    while (listener.count() < until) await new Promise((resolve) => setTimeout(resolve, 1));
  };
  await receive(Math.ceil(frames / 4));
  await stopwatch.time(() => receive(frames));
  await listener.close();
  peer.stdin.end();
  await once(peer, "exit");
  return stopwatch.per(frames);
}

/** A socket after the handshake. */
async function connected(url: string): Promise<WebSocket> {
  const ws = new WebSocket(url);
  await once(ws, "message");
  ws.send(JSON.stringify(hello));
  await once(ws, "message");
  return ws;
}

const listeners: Record<SocketTask["rival"], (url: string) => Promise<Listener>> = {
  async ws(url) {
    const ws = await connected(url);
    let chats = 0;
    ws.on("message", (data) => {
      const frame = JSON.parse(String(data)) as { readonly event: string };
      if (frame.event === "chat") chats += 1;
    });
    return { count: () => chats, close: () => ws.terminate() };
  },
  async webSocketSource(url) {
    const ws = await connected(url);
    const inbox = createInbox({ source: webSocketSource(ws) });
    await inbox.start();
    return {
      count: () => inbox.stats().events,
      close() {
        ws.terminate();
        return inbox.stop({ drainMs: 0 });
      },
    };
  },
  async gatewaySource(url) {
    const inbox = createInbox({ source: gatewaySource({ url, token: "bench" }) });
    await inbox.start();
    return { count: () => inbox.stats().events, close: () => inbox.stop({ drainMs: 0 }) };
  },
};
