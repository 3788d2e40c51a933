import { randomBytes, randomUUID } from "node:crypto";
import type { WebSocket } from "ws";
import { optionError } from "../errors.ts";
import type { Clock } from "../kit/clock.ts";
import { startTimer } from "../kit/timer.ts";
import { type Connection, createConnection, type WireFaults } from "./connection.ts";
import type { Dialect } from "./dialect.ts";
import type { FakeGatewayOptions } from "./fake-gateway-api.ts";
import type { Refusal } from "./gateway-errors.ts";
import { challenge, type GatewayRequestFrame, type HandshakeTerms, readRequest, shakeHands } from "./handshake.ts";
import { allows } from "./rpc.ts";
import type { Broadcast } from "./session-events.ts";

/** What happens on the sockets of a fake Gateway. */
export interface ClientsListener {
  connected(connection: Connection): void;
  disconnected(connection: Connection): void;
  asked(connection: Connection, request: GatewayRequestFrame): void;
  methods(): readonly string[];
}

/** Everybody who is connected, accepted or not. */
export interface Clients {
  readonly token: string;
  readonly faults: WireFaults;
  accept(socket: WebSocket): void;
  /** The accepted clients whose sockets are open, oldest first. */
  admitted(): readonly Connection[];
  readonly broadcast: Broadcast;
  /** Refuses the next `times` connects. 0 refuses none. */
  refuse(how: Refusal, times: number): void;
  drop(code?: number, reason?: string): void;
  release(): void;
  flushed(): Promise<void>;
  /** Gives the Gateway a new boot id and start time, which hello tells. */
  rebooted(): void;
  /** Ends the ticks. */
  stop(): void;
}

// The events that need the scope `operator.read`.
const READ_EVENTS = new Set(["agent", "chat", "session.message", "sessions.changed", "cron", "task", "heartbeat"]);

/** No clients. Sends a tick to every accepted client at each interval. */
export function createClients(
  options: FakeGatewayOptions,
  clock: Clock,
  dialect: Dialect,
  listener: ClientsListener,
): Clients {
  const { scopes = ["operator.read", "operator.write", "operator.admin"] } = options;
  const { tickIntervalMs = 30_000, maxPayload = 26_214_400, token = randomBytes(16).toString("hex") } = options;
  // With an interval of 0, a test clock would never end a step.
  if (!(tickIntervalMs > 0)) throw optionError("tickIntervalMs", "a number > 0", tickIntervalMs);
  const connections = new Set<Connection>();
  const faults: WireFaults = { stalled: false, repeats: 1 };
  let boot = { bootId: randomUUID(), startedAt: clock.now() };
  let refusing: { readonly how: Refusal; left: number } | undefined;
  let ticking = startTimer(clock, tickIntervalMs, tick);

  function tick(): void {
    broadcast("tick", { ts: clock.now() });
    ticking = startTimer(clock, tickIntervalMs, tick);
  }

  function admitted(): readonly Connection[] {
    return [...connections].filter((connection) => connection.admitted && connection.open);
  }

  function broadcast(event: string, payload: object, to: (connection: Connection) => boolean = () => true): void {
    let text: string | undefined;
    for (const connection of admitted()) {
      if (!to(connection)) continue;
      if (READ_EVENTS.has(event) && !allows(connection.scopes, "operator.read")) continue;
      text ??= JSON.stringify(dialect.event(event, payload));
      connection.event(event, text);
    }
  }

  function greet(connection: Connection, request: GatewayRequestFrame): void {
    const { version } = dialect;
    const terms: HandshakeTerms = {
      version,
      token,
      scopes,
      tickIntervalMs,
      maxPayload,
      ...boot,
      methods: listener.methods(),
    };
    const outcome =
      refusing === undefined ? shakeHands(connection, request, terms, clock.now()) : { refused: refusing.how };
    if (refusing !== undefined) {
      refusing.left -= 1;
      if (refusing.left <= 0) refusing = undefined;
    }
    if ("hello" in outcome) {
      connection.raw(JSON.stringify({ type: "res", id: request.id, ok: true, payload: outcome.hello }));
      return listener.connected(connection);
    }
    const { error, closeCode, closeReason } = outcome.refused;
    connection.raw(JSON.stringify({ type: "res", id: request.id, ok: false, error }));
    connection.close(closeCode, closeReason);
  }

  return {
    token,
    faults,
    accept(socket) {
      const connection = createConnection(socket, faults);
      connections.add(connection);
      socket.on("message", (data) => {
        const request = readRequest(String(data));
        // A client that is being closed is ignored until its socket is gone.
        if (request === undefined || !connection.open) return;
        if (connection.admitted) listener.asked(connection, request);
        else greet(connection, request);
      });
      // A client that breaks the WebSocket protocol. ws closes its socket.
      socket.on("error", () => {});
      socket.on("close", () => {
        connections.delete(connection);
        if (connection.admitted) listener.disconnected(connection);
      });
      connection.raw(challenge(clock.now()));
    },
    admitted,
    broadcast,
    refuse(how, times) {
      refusing = times > 0 ? { how, left: times } : undefined;
    },
    drop(code, reason) {
      for (const connection of connections) {
        if (code === undefined || code === 1006) connection.terminate();
        else connection.close(code, reason);
      }
    },
    release() {
      for (const connection of connections) connection.release();
    },
    async flushed() {
      await Promise.all([...connections].map((connection) => connection.flushed()));
    },
    rebooted() {
      boot = { bootId: randomUUID(), startedAt: clock.now() };
    },
    stop: () => ticking.cancel(),
  };
}
