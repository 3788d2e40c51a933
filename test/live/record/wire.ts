import { WebSocket } from "ws";
import { within } from "../within.ts";

/** A connection that keeps every frame it receives, as it came. */
export interface Wire {
  /** Oldest first, with the ms since {@link Wire.begin}. */
  readonly frames: readonly { readonly t: number; readonly frame: Readonly<Record<string, unknown>> }[];
  /** Forgets what came until now, and counts the time from here. */
  begin(): void;
  /** Asks, and resolves with the payload of the answer; throws what the Gateway refuses with. */
  request(method: string, params: object): Promise<unknown>;
  close(): void;
}

/** What a wire does by itself. */
export interface WireOptions {
  /** Subscribes to the list of sessions, and to each session when a run of it starts, as an inbox does. */
  readonly subscribes: boolean;
}

const HELLO_TIMEOUT_MS = 60_000;

/** Connects as a host does that has only the shared token; resolves after the hello. */
export async function openWire(url: string, token: string, { subscribes }: WireOptions): Promise<Wire> {
  const socket = new WebSocket(url, { maxPayload: 64 * 1024 * 1024 });
  const frames: { t: number; frame: Record<string, unknown> }[] = [];
  const waiting = new Map<string, (frame: Record<string, unknown>) => void>();
  const subscribed = new Set<string>();
  let startedAt = performance.now();
  let lastId = 0;
  const request = (method: string, params: object): Promise<unknown> => {
    lastId += 1;
    const id = String(lastId);
    const answered = new Promise((resolve, reject) => {
      waiting.set(id, ({ ok, payload, error }) =>
        ok === true ? resolve(payload) : reject(new Error(JSON.stringify(error))),
      );
    });
    socket.send(JSON.stringify({ type: "req", id, method, params }));
    return answered;
  };
  const follow = (key: unknown): void => {
    if (typeof key !== "string" || subscribed.has(key)) return;
    subscribed.add(key);
    request("sessions.messages.subscribe", { key }).catch(() => subscribed.delete(key));
  };
  const hello = new Promise<void>((resolve, reject) => {
    socket.once("error", reject);
    socket.on("message", (data) => {
      const frame = JSON.parse(String(data)) as Record<string, unknown>;
      frames.push({ t: Math.round(performance.now() - startedAt), frame });
      const payload = (frame.payload ?? {}) as Record<string, unknown>;
      if (frame.event === "connect.challenge") request("connect", connectParams(token)).then(() => resolve(), reject);
      if (frame.type === "res") waiting.get(String(frame.id))?.(frame);
      if (subscribes && frame.event === "sessions.changed") follow(payload.sessionKey);
    });
  });
  await within(HELLO_TIMEOUT_MS, "the hello of a recorded connection", hello);
  if (subscribes) await request("sessions.subscribe", {});
  return {
    frames,
    begin() {
      frames.length = 0;
      startedAt = performance.now();
    },
    request,
    close: () => socket.close(),
  };
}

function connectParams(token: string): object {
  return {
    minProtocol: 4,
    maxProtocol: 4,
    client: { id: "gateway-client", version: "1", platform: "linux", mode: "backend" },
    role: "operator",
    scopes: ["operator.read", "operator.write"],
    caps: [],
    auth: { token },
  };
}
