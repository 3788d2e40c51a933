import { randomBytes, randomUUID } from "node:crypto";
import type { WebSocket } from "ws";
import { type Clock, systemClock } from "../clock.ts";
import { type Connection, createConnection, type FakeConnection } from "./connection.ts";
import { createCronJobs } from "./cron-jobs.ts";
import type { FakeGateway, FakeGatewayOptions } from "./fake-gateway-api.ts";
import { type Refusal, refusal } from "./gateway-errors.ts";
import { challenge, type GatewayRequestFrame, type HandshakeTerms, readRequest, shakeHands } from "./handshake.ts";
import { createListener } from "./listener.ts";
import { createObserver } from "./observer.ts";
import { play } from "./player.ts";
import { allows, createRpc } from "./rpc.ts";
import { createSpeech } from "./speech.ts";
import { createTranscripts } from "./transcript.ts";
import { createHappening } from "./waits.ts";

const READ_EVENTS = new Set(["agent", "chat", "session.message", "sessions.changed", "cron", "task", "heartbeat"]);

/**
 * Starts a fake Gateway on 127.0.0.1: a real WebSocket server that speaks the protocol of
 * `openclaw@2026.9.6`, so that the official client connects to it, and that fails on command.
 *
 * @throws {Error} what the operating system says when `port` cannot be had.
 */
export async function createFakeGateway(options: FakeGatewayOptions = {}): Promise<FakeGateway> {
  const clock: Clock = options.clock ?? systemClock;
  const now = () => clock.now();
  const token = options.token ?? randomBytes(16).toString("hex");
  const maxPayload = options.maxPayload ?? 26_214_400;
  const tickIntervalMs = options.tickIntervalMs ?? 30_000;
  const connections = new Set<Connection>();
  const faults = { stalled: false, repeats: 1 };
  let refusing: { readonly how: Refusal; left: number } | undefined;
  const requests: GatewayRequestFrame[] = [];
  const connected = createHappening<FakeConnection>("a client connected");
  const disconnected = createHappening<FakeConnection>("a client went away");
  const requested = createHappening<GatewayRequestFrame>("it was asked");
  const transcripts = createTranscripts(now);
  const host = { transcripts, broadcast, now };
  const cronJobs = createCronJobs(broadcast, transcripts, now);
  const speech = createSpeech(host, cronJobs);
  const observer = createObserver(transcripts, now);
  const reply = options.reply ?? ((message: string) => `You said: ${message}`);
  const rpc = createRpc({ transcripts, speech, cronJobs, now, reply });
  const listener = await createListener({ port: options.port ?? 0, maxPayload, accept });
  let bootId = randomUUID();
  let startedAt = now();
  let closed = false;
  let ticking = clock.setTimeout(tick, tickIntervalMs);

  function admitted(): Connection[] {
    return [...connections].filter((connection) => connection.admitted);
  }

  function broadcast(event: string, payload: object, to: (connection: Connection) => boolean = () => true): void {
    let text: string | undefined;
    for (const connection of admitted()) {
      if (!to(connection) || (READ_EVENTS.has(event) && !allows(connection.scopes, "operator.read"))) continue;
      text ??= JSON.stringify(payload);
      connection.event(event, text);
    }
  }

  function tick(): void {
    broadcast("tick", { ts: now() });
    ticking = clock.setTimeout(tick, tickIntervalMs);
  }

  function accept(socket: WebSocket): void {
    const connection = createConnection(socket, faults);
    connections.add(connection);
    socket.on("message", (data) => hear(connection, String(data)));
    // A client that breaks the WebSocket protocol is its own problem: ws closes the socket, nothing here depends on it.
    socket.on("error", () => {});
    socket.on("close", () => {
      connections.delete(connection);
      if (connection.admitted) disconnected.happened(connection);
    });
    connection.raw(challenge(now()));
  }

  function hear(connection: Connection, text: string): void {
    const request = readRequest(text);
    if (request === undefined) return;
    if (!connection.admitted) return greet(connection, request);
    requests.push(request);
    void rpc.handle(connection, request).then(() => requested.happened(request));
  }

  function greet(connection: Connection, request: GatewayRequestFrame): void {
    const terms: HandshakeTerms = {
      token,
      scopes: options.scopes ?? ["operator.read", "operator.write", "operator.admin"],
      tickIntervalMs,
      maxPayload,
      bootId,
      startedAt,
      methods: rpc.methods,
    };
    const outcome = refusing === undefined ? shakeHands(connection, request, terms, now()) : { refused: refusing.how };
    if (refusing !== undefined && --refusing.left <= 0) refusing = undefined;
    if ("refused" in outcome) {
      const { error, closeCode, closeReason } = outcome.refused;
      connection.raw(JSON.stringify({ type: "res", id: request.id, ok: false, error }));
      connection.close(closeCode, closeReason);
      return;
    }
    connection.raw(JSON.stringify({ type: "res", id: request.id, ok: true, payload: outcome.hello }));
    connected.happened(connection);
  }

  function drop(code?: number, reason?: string): void {
    for (const connection of connections) {
      if (code === undefined || code === 1006) connection.terminate();
      else connection.close(code, reason);
    }
  }

  async function flushed(): Promise<void> {
    await Promise.all([...connections].map((connection) => connection.flushed()));
  }

  async function audience(): Promise<void> {
    if (!closed && admitted().length === 0) await connected.next();
  }

  async function close(): Promise<void> {
    if (closed) return;
    closed = true;
    clock.clearTimeout(ticking as never);
    drop();
    for (const happening of [connected, disconnected, requested]) happening.end();
    await listener.close();
  }

  const gateway: FakeGateway = {
    port: listener.port,
    url: `ws://127.0.0.1:${listener.port}`,
    token,
    transcripts,
    requests,
    get connections() {
      return admitted();
    },
    nextConnection: () => connected.next(),
    nextDisconnection: () => disconnected.next(),
    nextRequest: (method) => requested.next((request) => method === undefined || request.method === method),
    flushed,
    emit: (event, payload, { to } = {}) => broadcast(event, payload, to),
    chat(payload, { hidden = false } = {}) {
      const key = String((payload as { sessionKey?: unknown }).sessionKey).toLowerCase();
      observer.event("chat", payload);
      broadcast("chat", payload, hidden ? ({ subscriptions }) => subscriptions.has(key) : undefined);
    },
    run: (runOptions) => speech.run(runOptions),
    say: (text, sayOptions) => speech.say(text, sayOptions),
    running: (runId) => speech.running(runId),
    respond: (method, handler) => rpc.respond(method, handler),
    drop,
    refuse(how, times = 1) {
      const one = typeof how === "string" ? refusal(how) : { error: how, closeCode: 1008, closeReason: how.message };
      refusing = times > 0 ? { how: one, left: times } : undefined;
    },
    stall() {
      faults.stalled = true;
    },
    resume() {
      faults.stalled = false;
      for (const connection of connections) connection.release();
    },
    repeat(times) {
      faults.repeats = times;
    },
    sendRaw(data) {
      for (const connection of admitted()) connection.raw(data);
    },
    async restart({ downMs = 0, crash = false } = {}) {
      if (crash) {
        drop();
        speech.crash();
      } else {
        broadcast("shutdown", { reason: "gateway stopping" });
        drop(1012, "service restart");
      }
      await listener.close();
      if (downMs > 0) await new Promise<void>((resolve) => clock.setTimeout(() => resolve(), downMs));
      if (closed) return;
      bootId = randomUUID();
      startedAt = now();
      await listener.open();
    },
    play(recordings, playOptions = {}) {
      const event = (name: string, payload: object) => {
        observer.event(name, payload);
        broadcast(name, payload);
      };
      const recall = (answer: unknown) => observer.answer(answer);
      const lose = () => drop(1012, "service restart");
      const stage = { clock, audience, event, recall, drop: lose, flushed, isClosed: () => closed };
      return play(stage, recordings, playOptions);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
  return gateway;
}
