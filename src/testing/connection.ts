import { randomUUID } from "node:crypto";

/** One client that the Gateway has accepted, as a test sees it. */
export interface FakeConnection {
  /** The Gateway's id of the connection: `server.connId` of its hello. */
  readonly id: string;
  /** The `client` of its connect request: `id`, `mode`, `version` and what else it sent. */
  readonly client: Readonly<Record<string, unknown>>;
  /** The `role` of its connect request; `"operator"` where it has none. */
  readonly role: string;
  /** The scopes that it was granted: those it asked for, of those that the Gateway grants. */
  readonly scopes: readonly string[];
  /** The session keys that it subscribed to by `sessions.messages.subscribe`, as the Gateway writes them. */
  readonly subscriptions: ReadonlySet<string>;
  /** Whether it called `sessions.subscribe`. */
  readonly roster: boolean;
  /** Closes this one socket. Default: code 1000 without a reason. */
  close(code?: number, reason?: string): void;
  /** Cuts this one socket off. The client sees the close code 1006. */
  terminate(): void;
}

/** The faults of all connections. */
export interface WireFaults {
  /** Whether frames wait instead of being sent. */
  stalled: boolean;
  /** How many times each event frame is sent, from 1. */
  repeats: number;
}

/** One accepted socket, as the Gateway sees it. */
export interface Connection extends FakeConnection {
  /** Accepts the client. It gets no events before. */
  admit(client: Readonly<Record<string, unknown>>, role: string, scopes: readonly string[]): void;
  /** Whether it was accepted. Stays true when it goes away. */
  readonly admitted: boolean;
  /** Whether the socket is open. False as soon as either side closes it. */
  readonly open: boolean;
  roster: boolean;
  readonly subscriptions: Set<string>;
  /** Sends an event frame, numbered from 1 after hello. `payload` is JSON, which is made once for all connections. */
  event(name: string, payload: string): void;
  /** Sends anything unchanged; a Buffer as a binary frame. */
  raw(data: string | Buffer): void;
  /** Sends what has waited. */
  release(): void;
  /** Resolves when all that was sent is with the operating system, or the socket is gone. */
  flushed(): Promise<void>;
}

/** What a connection needs of a `ws` WebSocket. Written out, so that users of this package need no types of `ws`. */
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
    // On a socket that is closed, `settled` is called with an error.
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
