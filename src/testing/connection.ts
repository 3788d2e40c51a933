import { randomUUID } from "node:crypto";

/** One client that is past hello, as tests see it. */
export interface FakeConnection {
  /** The Gateway's id of the connection: `server.connId` of its hello. */
  readonly id: string;
  /** The `client` of its connect request: id, mode, version, ... */
  readonly client: Readonly<Record<string, unknown>>;
  readonly role: string;
  /** What it was granted, not what it asked for. */
  readonly scopes: readonly string[];
  /** The session keys it subscribed to by `sessions.messages.subscribe`, in lower case. */
  readonly subscriptions: ReadonlySet<string>;
  /** Whether it called `sessions.subscribe`. */
  readonly roster: boolean;
  /** Closes this one socket, properly. */
  close(code?: number, reason?: string): void;
  /** Cuts this one socket off; the client sees close code 1006. */
  terminate(): void;
}

/** The faults that all connections share while they are set. */
export interface WireFaults {
  /** Nothing leaves; what would have been sent waits. */
  stalled: boolean;
  /** How often each event frame is sent. */
  repeats: number;
}

/** One accepted socket, as the Gateway sees it. */
export interface Connection extends FakeConnection {
  /** Marks it as past hello; before that it gets no events. */
  admit(client: Readonly<Record<string, unknown>>, role: string, scopes: readonly string[]): void;
  /** Whether it is past hello, and maybe gone since. */
  readonly admitted: boolean;
  /** False from the moment at which either side closes. */
  readonly open: boolean;
  roster: boolean;
  readonly subscriptions: Set<string>;
  /** Sends an event frame; `payload` is JSON, so that it is made once for all connections. Numbered from 1 after hello. */
  event(name: string, payload: string): void;
  /** Sends anything, as it is. A Buffer leaves as a binary frame. */
  raw(data: string | Buffer): void;
  /** Sends what has waited since the stall began. */
  release(): void;
  /** Resolves when everything sent so far was handed to the operating system, or the socket is gone. */
  flushed(): Promise<void>;
}

/** What it needs of a `ws` WebSocket. Spelt out, so that who uses this package needs no types of `ws`. */
export interface ServerSocket {
  readonly readyState: number;
  readonly OPEN: number;
  on(event: "close", listener: () => void): unknown;
  send(data: string | Buffer, sent: () => void): void;
  close(code: number, reason: string): void;
  terminate(): void;
}

/** A {@link Connection} on an open socket. */
export function createConnection(socket: ServerSocket, faults: WireFaults): Connection {
  const held: (string | Buffer)[] = [];
  let waiting: (() => void)[] = [];
  let unsent = 0;
  let seq = 0;

  function settled(): void {
    unsent -= 1;
    if (unsent > 0) return;
    const ready = waiting;
    waiting = [];
    for (const resolve of ready) resolve();
  }

  function send(data: string | Buffer): void {
    unsent += 1;
    if (faults.stalled) held.push(data);
    // The callback also comes, with an error, when the socket is no longer open.
    else socket.send(data, settled);
  }

  socket.on("close", () => {
    for (const _ of held.splice(0)) settled();
  });

  return {
    id: randomUUID(),
    client: {},
    role: "operator",
    scopes: [],
    admitted: false,
    get open() {
      return socket.readyState === socket.OPEN;
    },
    roster: false,
    subscriptions: new Set(),
    admit(client, role, scopes) {
      Object.assign(this, { client, role, scopes, admitted: true });
    },
    event(name, payload) {
      seq += 1;
      const frame = `{"type":"event","event":${JSON.stringify(name)},"payload":${payload},"seq":${seq}}`;
      for (let time = 0; time < faults.repeats; time += 1) send(frame);
    },
    raw: send,
    release() {
      for (const data of held.splice(0)) socket.send(data, settled);
    },
    flushed: () => (unsent === 0 ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve))),
    close: (code = 1000, reason = "") => socket.close(code, reason),
    terminate: () => socket.terminate(),
  };
}
