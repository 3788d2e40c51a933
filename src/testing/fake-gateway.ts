import { assertKnownKeys, optionError } from "../errors.ts";
import { type Clock, systemClock } from "../kit/clock.ts";
import { type Clients, createClients } from "./clients.ts";
import type { FakeConnection } from "./connection.ts";
import { createCronJobs } from "./cron-jobs.ts";
import { DIALECTS } from "./dialect.ts";
import type { FakeGateway, FakeGatewayOptions } from "./fake-gateway-api.ts";
import { createFiles, type Files } from "./files.ts";
import { refusal } from "./gateway-errors.ts";
import { gatewayKey } from "./gateway-key.ts";
import type { GatewayRequestFrame } from "./handshake.ts";
import { createListener, type Listener } from "./listener.ts";
import { createObserver, type Observer } from "./observer.ts";
import { type PlayOptions, play } from "./player.ts";
import { createRpc, type Rpc } from "./rpc.ts";
import { createSpeech, type Speech } from "./speech.ts";
import { createTranscripts, type Transcripts } from "./transcript.ts";
import { createHappening } from "./waits.ts";

/** The parts of a fake Gateway. */
interface Parts {
  readonly clock: Clock;
  readonly clients: Clients;
  readonly transcripts: Transcripts;
  readonly speech: Speech;
  readonly observer: Observer;
  readonly rpc: Rpc;
  readonly files: Files;
  readonly happenings: ReturnType<typeof createHappenings>;
  readonly requests: readonly GatewayRequestFrame[];
}

const KNOWN = ["token", "port", "scopes", "tickIntervalMs", "maxPayload", "clock", "generation", "reply", "filesMs"];

/**
 * Starts a fake Gateway on 127.0.0.1. It is a real WebSocket server that speaks the protocol of `openclaw@2026.9.6`, so
 * the official client connects to it. It fails on command.
 *
 * @throws {InboxError} `ERR_INBOX_OPTION` for an unknown option or generation, or a `tickIntervalMs` not above 0.
 * @throws {Error} The operating system's error when `port` cannot be used.
 *
 * @example
 * await using gateway = await createFakeGateway();
 * const inbox = createInbox({ gateway: { url: gateway.url, token: gateway.token } });
 * await inbox.start();
 * gateway.say("Good morning.");
 */
export async function createFakeGateway(options: FakeGatewayOptions = {}): Promise<FakeGateway> {
  assertKnownKeys("createFakeGateway", options, KNOWN);
  const parts = createParts(options);
  const { port = 0, maxPayload = 26_214_400 } = options;
  const { accept } = parts.clients;
  const { serve } = parts.files;
  const listener = await createListener({ port, maxPayload, accept, serve }).catch((error: unknown) => {
    parts.clients.stop();
    throw error;
  });
  return { ...createHearing(parts), ...createVoice(parts), ...createFaults(parts), ...createLife(parts, listener) };
}

function createParts(options: FakeGatewayOptions): Parts {
  const { clock = systemClock, reply = (message: string) => `You said: ${message}` } = options;
  const { generation = "2026.9.5", filesMs = 0 } = options;
  const dialect = DIALECTS.get(generation);
  if (dialect === undefined) throw optionError("generation", `one of ${[...DIALECTS.keys()].join(", ")}`, generation);
  const now = () => clock.now();
  const happenings = createHappenings();
  const requests: GatewayRequestFrame[] = [];
  const clients = createClients(options, clock, dialect, {
    connected: happenings.connected.happened,
    disconnected: happenings.disconnected.happened,
    asked(connection, request) {
      requests.push(request);
      void rpc.handle(connection, request).then(() => happenings.requested.happened(request));
    },
    methods: () => rpc.methods,
  });
  const { broadcast } = clients;
  const transcripts = createTranscripts(now);
  const cronJobs = createCronJobs(broadcast, transcripts, now);
  const files = createFiles(() => clients.token);
  const speech = createSpeech(
    {
      transcripts,
      broadcast,
      now,
      clock,
      joiner: dialect.joiner,
      files: dialect.keepsFiles ? files : undefined,
      filesMs,
    },
    cronJobs,
  );
  const observer = createObserver(transcripts, now);
  const rpc = createRpc({ transcripts, speech, cronJobs, files, now, reply, dialect });
  return { clock, clients, transcripts, speech, observer, rpc, files, happenings, requests };
}

function createHappenings() {
  return {
    connected: createHappening<FakeConnection>("a client connected"),
    disconnected: createHappening<FakeConnection>("a client went away"),
    requested: createHappening<GatewayRequestFrame>("it was asked"),
  };
}

type Hearing = Pick<
  FakeGateway,
  "requests" | "transcripts" | "nextConnection" | "nextDisconnection" | "nextRequest" | "flushed" | "respond"
>;

function createHearing({ clients, transcripts, rpc, happenings, requests }: Parts): Hearing {
  return {
    requests,
    transcripts,
    nextConnection: () => happenings.connected.next(),
    nextDisconnection: () => happenings.disconnected.next(),
    nextRequest: (method) => happenings.requested.next((request) => method === undefined || request.method === method),
    flushed: clients.flushed,
    respond: rpc.respond,
  };
}

function createVoice({
  clients,
  speech,
  observer,
}: Parts): Pick<FakeGateway, "emit" | "chat" | "run" | "say" | "running"> {
  return {
    emit: (event, payload, { to } = {}) => clients.broadcast(event, payload, to),
    chat(payload, { hidden = false } = {}) {
      const key = gatewayKey(String((payload as { sessionKey?: unknown }).sessionKey));
      observer.event("chat", payload);
      clients.broadcast("chat", payload, hidden ? ({ subscriptions }) => subscriptions.has(key) : undefined);
    },
    run: speech.run,
    say: speech.say,
    running: speech.running,
  };
}

function createFaults({
  clients,
}: Parts): Pick<FakeGateway, "drop" | "refuse" | "stall" | "resume" | "repeat" | "sendRaw"> {
  const { faults } = clients;
  return {
    drop: clients.drop,
    refuse(how, times = 1) {
      if (!(times >= 0)) throw optionError("times", "a number >= 0", times);
      const one = typeof how === "string" ? refusal(how) : { error: how, closeCode: 1008, closeReason: how.message };
      clients.refuse(one, times);
    },
    stall() {
      faults.stalled = true;
    },
    resume() {
      faults.stalled = false;
      clients.release();
    },
    repeat(times) {
      if (!Number.isInteger(times) || times < 1) throw optionError("times", "an integer >= 1", times);
      faults.repeats = times;
    },
    sendRaw(data) {
      for (const connection of clients.admitted()) connection.raw(data);
    },
  };
}

type Life = Omit<
  FakeGateway,
  keyof Hearing | keyof ReturnType<typeof createVoice> | keyof ReturnType<typeof createFaults>
>;

function createLife({ clock, clients, speech, observer, happenings }: Parts, listener: Listener): Life {
  let closed = false;

  function goDown(): void {
    clients.broadcast("shutdown", { reason: "gateway stopping" });
    clients.drop(1012, "service restart");
  }

  async function close(): Promise<void> {
    if (closed) return;
    closed = true;
    clients.stop();
    clients.drop();
    for (const happening of Object.values(happenings)) happening.end();
    await listener.close();
  }

  return {
    port: listener.port,
    url: `ws://127.0.0.1:${listener.port}`,
    token: clients.token,
    // No getter: the spread that puts the parts together would read it once.
    connections: () => clients.admitted(),
    async restart({ downMs = 0, crash = false } = {}) {
      if (crash) {
        clients.drop();
        speech.crash();
      } else goDown();
      await listener.close();
      if (downMs > 0) await new Promise<void>((resolve) => clock.setTimeout(() => resolve(), downMs));
      if (closed) return;
      clients.rebooted();
      await listener.open();
    },
    play(recordings: string | readonly string[], options: PlayOptions = {}) {
      const event = (name: string, payload: object) => {
        observer.event(name, payload);
        clients.broadcast(name, payload);
      };
      const audience = async () => {
        if (!closed && clients.admitted().length === 0) await happenings.connected.next();
      };
      const { flushed } = clients;
      const stage = {
        clock,
        audience,
        event,
        recall: observer.answer,
        drop: () => clients.drop(1012, "service restart"),
        flushed,
      };
      return play({ ...stage, isClosed: () => closed }, recordings, options);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}
