import type { Clock } from "../kit/clock.ts";
import type { FakeConnection } from "./connection.ts";
import type { GatewayGeneration } from "./dialect.ts";
import type { GatewayError, RefusalKind } from "./gateway-errors.ts";
import type { GatewayRequestFrame } from "./handshake.ts";
import type { PlayOptions } from "./player.ts";
import type { RpcHandler } from "./rpc.ts";
import type { FakeRun } from "./run.ts";
import type { RunOptions, SayOptions } from "./speech.ts";
import type { Transcripts } from "./transcript.ts";

/** The options of `createFakeGateway`. */
export interface FakeGatewayOptions {
  /** The token that clients must send. Default: a random one, see {@link FakeGateway.token}. */
  readonly token?: string;
  /** The port of 127.0.0.1. Default 0: a free one. */
  readonly port?: number;
  /** The scopes that clients can get; each gets those it asks for. Default: `operator.read`, `.write` and `.admin`. */
  readonly scopes?: readonly string[];
  /** The time between two `tick` events, in ms, above 0. Hello announces it. Default 30,000. */
  readonly tickIntervalMs?: number;
  /** The longest message that it accepts, in bytes. Hello announces it. Default 26,214,400. */
  readonly maxPayload?: number;
  /** The clock of timestamps, ticks and pauses. Default: the system's. The official client always uses the system's. */
  readonly clock?: Clock;
  /**
   * The generation of the protocol. Before `"2026.8"`, rows name no run and the history has no cursor. Before
   * `"2026.9.5"`, the prompt of a cron job is a plain user row. Default `"2026.9.5"`, the newest.
   */
  readonly generation?: GatewayGeneration;
  /** When the files that a final sends along are in the history, in ms after it. Default 0; a real Gateway takes up to 1,000. */
  readonly filesMs?: number;
  /** Returns what an agent answers to a `chat.send`. Default: `You said: ` and the message. */
  readonly reply?: (message: string, params: Readonly<Record<string, unknown>>) => string;
}

/** A Gateway for tests. Each call sends at once, so that frames leave in the order of the calls. */
export interface FakeGateway extends AsyncDisposable {
  /** Its address: `ws://127.0.0.1:<port>`. */
  readonly url: string;
  readonly port: number;
  /** The token that clients must send. */
  readonly token: string;
  /** The accepted clients that are connected, oldest first. */
  connections(): readonly FakeConnection[];
  /** Every request but `connect`, in order of arrival. */
  readonly requests: readonly GatewayRequestFrame[];
  /** What `chat.history` and `sessions.list` answer from. A row that is added here is told by no event. */
  readonly transcripts: Transcripts;

  /** The next client that is accepted. Like the next two, it rejects when the Gateway is closed first. */
  nextConnection(): Promise<FakeConnection>;
  /** The next accepted client whose socket is gone. */
  nextDisconnection(): Promise<FakeConnection>;
  /** The next request that is answered; with `method`, the next of that method. */
  nextRequest(method?: string): Promise<GatewayRequestFrame>;
  /** Resolves when all that was sent is with the operating system. Waits while it is stalled. */
  flushed(): Promise<void>;

  /** Sends one event frame to all clients, or to those that `to` accepts. Frames are numbered from 1 for each client. */
  emit(event: string, payload: object, options?: { readonly to?: (connection: FakeConnection) => boolean }): void;
  /** Sends one `chat` event and keeps it in the transcript. `hidden` sends it only to the subscribers of its session. */
  chat(payload: object, options?: { readonly hidden?: boolean }): void;
  /** Starts a run that the test speaks piece by piece. */
  run(options?: RunOptions): FakeRun;
  /** Sends a whole run with all that a real Gateway sends around it. Returns its id. */
  say(text: string, options?: SayOptions): string;
  /** The run of this id, while it has not ended. */
  running(runId: string): FakeRun | undefined;
  /** Has `handler` answer `method` from now on, whatever scopes the client has. */
  respond(method: string, handler: RpcHandler): void;
  /**
   * Plays the event frames of recordings to all clients and resolves when all were sent. Recordings are names or
   * paths; several are merged by time. Playing begins when a client is there. Where the recorded connection was lost,
   * every socket is closed with 1012, and playing goes on when a client is back.
   *
   * @throws {InboxError} `ERR_INBOX_RECORDING` when a file cannot be read, `ERR_INBOX_OPTION` for a `speed` not above 0.
   */
  play(recordings: string | readonly string[], options?: PlayOptions): Promise<void>;

  /** Closes every socket with `code`. Without one it cuts them off, and clients see 1006. */
  drop(code?: number, reason?: string): void;
  /** Refuses the next `times` connects (default 1). Replaces an earlier call; 0 accepts clients again. */
  refuse(how: RefusalKind | GatewayError, times?: number): void;
  /** Sends nothing until `resume`, not even answers. Sockets stay open. */
  stall(): void;
  /** Ends a stall and sends what has waited. */
  resume(): void;
  /** Sends every event frame `times` times from now on: an integer from 1. */
  repeat(times: number): void;
  /** Sends anything unchanged to all clients; a Buffer as a binary frame. */
  sendRaw(data: string | Buffer): void;
  /**
   * Ends and starts again on the same port after `downMs` milliseconds (default 0), with the same transcripts. Resolves
   * when it listens. It sends `shutdown` and closes sockets with 1012 first. With `crash` it sends nothing, and runs
   * that are under way never end.
   */
  restart(options?: { readonly downMs?: number; readonly crash?: boolean }): Promise<void>;
  /** Ends the Gateway. Resolves when no socket and no timer is left. Idempotent. */
  close(): Promise<void>;
}
