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

/** How a fake Gateway is set up. */
export interface FakeGatewayOptions {
  /** What clients must present. Default: a random one, see {@link FakeGateway.token}. */
  readonly token?: string;
  /** Default 0: a free one. */
  readonly port?: number;
  /** The scopes that clients may be granted; each gets those it asks for. Default: read, write and admin. */
  readonly scopes?: readonly string[];
  /** Between two `tick` events, in ms, above 0; hello announces it. Default 30,000. */
  readonly tickIntervalMs?: number;
  /** The longest message it accepts, in bytes; hello announces it. Default 26,214,400. */
  readonly maxPayload?: number;
  /** For timestamps, ticks and pauses. Default: the system's. The official client keeps to the system's clock. */
  readonly clock?: Clock;
  /**
   * Which generation of the wire it speaks. Before `"2026.8"` rows name no run and the history has no cursor; before
   * `"2026.9.5"` the prompt of a cron job is a plain user row. Default `"2026.9.5"`, the newest.
   */
  readonly generation?: GatewayGeneration;
  /** How long after a final the files that were sent along are in the history, in ms. Default 0; a real one takes up to a second. */
  readonly filesMs?: number;
  /** What an agent answers to `chat.send`. Default: `You said: …`. */
  readonly reply?: (message: string, params: Readonly<Record<string, unknown>>) => string;
}

/** A Gateway for tests. Whatever is sent by it leaves at once, in the order of the calls. */
export interface FakeGateway extends AsyncDisposable {
  /** `ws://127.0.0.1:<port>` */
  readonly url: string;
  readonly port: number;
  readonly token: string;
  /** The clients past hello, oldest first. */
  connections(): readonly FakeConnection[];
  /** Every request after `connect`, in order of arrival. */
  readonly requests: readonly GatewayRequestFrame[];
  /** What `chat.history` and `sessions.list` answer from. Rows added here are rows that no event told of. */
  readonly transcripts: Transcripts;

  /** The next client past hello. Like the other two, rejects when the Gateway is closed first. */
  nextConnection(): Promise<FakeConnection>;
  /** The next client, of those past hello, whose socket is gone. */
  nextDisconnection(): Promise<FakeConnection>;
  /** The next request (of that method), once it is answered. */
  nextRequest(method?: string): Promise<GatewayRequestFrame>;
  /** Resolves when everything sent so far was handed to the operating system. Waits while stalled. */
  flushed(): Promise<void>;

  /** Sends one event frame, as it is, to all clients or those that `to` accepts; each counts its own frame `seq`, from 1. */
  emit(event: string, payload: object, options?: { readonly to?: (connection: FakeConnection) => boolean }): void;
  /** Sends one `chat` event and remembers it in the transcript; when `hidden`, only to those subscribed to its session. */
  chat(payload: object, options?: { readonly hidden?: boolean }): void;
  /** Starts a run that the caller then speaks through. */
  run(options?: RunOptions): FakeRun;
  /** A whole run, with all that a real Gateway sends around it. Returns its id. */
  say(text: string, options?: SayOptions): string;
  /** A run that has not ended. */
  running(runId: string): FakeRun | undefined;
  /** Has `method` answered by `handler`, whatever the scopes. */
  respond(method: string, handler: RpcHandler): void;
  /**
   * Plays the event frames of recordings (names or paths; several are merged by time) to all clients
   * and resolves when all was sent. Waits for a client first. Where the recorded connection was lost,
   * every socket is closed (1012) and playing goes on when a client is back.
   *
   * @throws {InboxError} `ERR_INBOX_RECORDING` when a file cannot be read; `ERR_INBOX_OPTION` for a speed not above 0.
   */
  play(recordings: string | readonly string[], options?: PlayOptions): Promise<void>;

  /** Ends every socket: properly with `code`, or cut off (the client sees 1006) without one. */
  drop(code?: number, reason?: string): void;
  /** Turns the next `times` (default 1) connects away; replaces what was set before. 0 lets them in again. */
  refuse(how: RefusalKind | GatewayError, times?: number): void;
  /** Sockets stay open and nothing is sent, not even answers, until `resume`. */
  stall(): void;
  /** Sends what has waited, and goes on. */
  resume(): void;
  /** Sends every event frame `times` times (an integer above 0), until set to 1 again. */
  repeat(times: number): void;
  /** Sends anything to all clients; a Buffer as a binary frame. */
  sendRaw(data: string | Buffer): void;
  /**
   * Goes away and comes back on the same port after `downMs` (default 0) with the same transcripts;
   * resolves when it listens. Says `shutdown` and closes with 1012 first; with `crash`, it says
   * nothing, and its running runs never end.
   */
  restart(options?: { readonly downMs?: number; readonly crash?: boolean }): Promise<void>;
  /** Lets go of everything; resolves when no socket or timer is left. Idempotent. */
  close(): Promise<void>;
}
