import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { type RawData, WebSocket, WebSocketServer } from "ws";
import type { Random } from "./random.ts";

/** How likely each fault is, for each event frame. */
export interface Faults {
  /** The frame is sent again, at once or up to 300 ms later. */
  readonly repeat: number;
  /** A delta is left out. */
  readonly dropDelta: number;
  /** A final is left out; what the Gateway tells beside it (`session.message`) is not. */
  readonly dropFinal: number;
  /** All frames of the session wait for up to 200 ms, while those of others overtake them. */
  readonly hold: number;
  /** Something that is no frame, or no event that may count, comes in between. */
  readonly garbage: number;
  /** Nothing is read from the Gateway for up to 400 ms. */
  readonly slow: number;
  /** The connection is cut: what is on its way is lost. */
  readonly cut: number;
}

/** Between the hosts and the Gateway: a WebSocket proxy that fails by a seeded plan. */
export interface FaultyWire {
  readonly url: string;
  /** How often each fault has happened. */
  readonly counts: Readonly<Record<keyof Faults, number>>;
  close(): Promise<void>;
}

const GARBAGE: readonly (string | Buffer)[] = [
  "",
  "{",
  "null",
  "[1,2,3]",
  Buffer.from([0xff, 0x00, 0xfe]),
  '{"type":"event"}',
  '{"type":"event","event":"chat","payload":{"state":"final","message":{"content":"nobody said this"}}}',
  '{"type":"event","event":"chat","payload":{"runId":7,"state":"final","message":{"content":"nor this"}}}',
  '{"type":"event","event":"chat","payload":{"runId":"strange","seq":1,"state":"pondering"}}',
  '{"type":"event","event":"session.message","payload":{"sessionKey":"agent:main:chaos:0","message":{"role":"ghost"}}}',
  '{"type":"event","event":"unheard.of","payload":{"runId":"x","state":"final","message":{"content":"nor that"}}}',
];
const MOST_BUFFERED = 4_194_304;

/** One that listens on a free port of loopback. Only events after the handshake are tampered with, never answers. */
export async function createFaultyWire(upstreamUrl: string, faults: Faults, random: Random): Promise<FaultyWire> {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });
  await once(server, "listening");
  const counts = { repeat: 0, dropDelta: 0, dropFinal: 0, hold: 0, garbage: 0, slow: 0, cut: 0 };
  const lines = new Set<() => void>();
  let connections = 0;

  server.on("connection", (down) => {
    connections += 1;
    const cut = createLine(down, upstreamUrl, faults, counts, random.fork(`connection ${connections}`));
    lines.add(cut);
    down.on("close", () => lines.delete(cut));
  });

  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    counts,
    async close() {
      for (const cut of lines) cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Joins one client to the Gateway. Returns how to cut it off. */
function createLine(
  down: WebSocket,
  upstreamUrl: string,
  faults: Faults,
  counts: Record<keyof Faults, number>,
  random: Random,
): () => void {
  const up = new WebSocket(upstreamUrl, { perMessageDeflate: false, maxPayload: 26_214_400 });
  const timers = new Set<NodeJS.Timeout>();
  const held = new Map<string, string[]>();
  const early: string[] = [];
  let pauses = 0;

  function cut(): void {
    for (const timer of timers) clearTimeout(timer);
    up.terminate();
    down.terminate();
  }

  function later(ms: number, work: () => void): void {
    const timer = setTimeout(() => {
      timers.delete(timer);
      work();
    }, ms);
    timers.add(timer);
  }

  function pause(): void {
    pauses += 1;
    up.pause();
  }

  function resume(): void {
    pauses -= 1;
    if (pauses === 0) up.resume();
  }

  function send(data: string | Buffer): void {
    if (down.bufferedAmount < MOST_BUFFERED) return down.send(data);
    pause();
    down.send(data, resume);
  }

  /** Whether the fault happens now; it is counted then. */
  function strikes(fault: keyof Faults): boolean {
    if (!random.chance(faults[fault])) return false;
    counts[fault] += 1;
    return true;
  }

  function deliver(frame: string): void {
    const state = /^\{"type":"event","event":"chat".*?"state":"(delta|final)"/.exec(frame)?.[1];
    if (state !== undefined && strikes(state === "delta" ? "dropDelta" : "dropFinal")) return;
    send(frame);
    if (!strikes("repeat")) return;
    if (random.chance(0.5)) send(frame);
    else later(random.below(300), () => send(frame));
  }

  function release(session: string): void {
    const frames = held.get(session) ?? [];
    held.delete(session);
    for (const frame of frames) deliver(frame);
  }

  function event(frame: string): void {
    if (strikes("cut")) return cut();
    if (strikes("garbage")) send(random.pick(GARBAGE));
    if (strikes("slow")) {
      pause();
      later(random.below(400), resume);
    }
    const session = /"sessionKey":"([^"]+)"/.exec(frame)?.[1];
    if (session === undefined) return send(frame);
    const waiting = held.get(session);
    if (waiting !== undefined) return void waiting.push(frame);
    if (!strikes("hold")) return deliver(frame);
    held.set(session, [frame]);
    later(random.below(200), () => release(session));
  }

  down.on("message", (data: RawData) => {
    if (up.readyState === up.OPEN) up.send(String(data));
    else early.push(String(data));
  });
  up.on("open", () => {
    for (const data of early.splice(0)) up.send(data);
  });
  up.on("message", (data: RawData) => {
    const frame = String(data);
    if (frame.startsWith('{"type":"event"') && !frame.includes('"connect.challenge"')) event(frame);
    else send(frame);
  });
  for (const socket of [up, down]) {
    socket.on("error", () => {});
    socket.on("close", cut);
  }
  return cut;
}
