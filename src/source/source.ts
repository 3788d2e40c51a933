import type { LinkEvent } from "../../machines/link.ts";
import { optionError } from "../errors.ts";
import { isTooLongAnId, MAX_ID_CHARS } from "../protocol/fields.ts";

/** A place where frames come from. The inbox opens each source once and closes it once. */
export interface Source {
  /**
   * The Gateway's name. It is part of every run's identity, so it must be the same on every host. Two connections to
   * one Gateway have the same name.
   */
  readonly name: string;
  /** A label for this connection. Its messages have it as `owner`. */
  readonly owner?: string;
  /** Connects, and stays connected by itself until `close`. Must not throw: problems are link events. */
  open(listener: SourceListener): void;
  /** Closes everything. Resolves when no socket or timer is left. */
  close(): Promise<void>;
  /** Sends a request to the Gateway; absent when the source only listens. */
  readonly request?: GatewayRequest;
  /** Reads a file over HTTP; absent when the source does not know the Gateway's address. */
  readonly download?: GatewayDownload;
}

/** What a source reports to. These calls never throw. */
export interface SourceListener {
  /** One WebSocket message: its text or bytes, or the object that was parsed from it. */
  frame(frame: unknown): void;
  /** A change of the connection, as an event of the link machine. `hello` has the Gateway's `hello-ok` payload. */
  link(event: LinkEvent): void;
  /** A function that the host gave to the source threw; `option` names it. The connection goes on. */
  hostError?(option: string, error: unknown): void;
  /** A request was not sent because too many wait for their answers. */
  overLimit?(): void;
}

/**
 * One request to a Gateway. Rejects with an `InboxError`: `ERR_INBOX_NO_LINK` when not connected,
 * `ERR_INBOX_SCOPE` when the scope is missing, `ERR_INBOX_REQUEST` for any other refusal or a timeout.
 */
export type GatewayRequest = (
  method: string,
  params: object,
  options?: { readonly signal?: AbortSignal },
) => Promise<unknown>;

/**
 * Reads the file at `path` (`/api/...`) on the Gateway's address, at most `maxBytes`. Rejects with an `InboxError`
 * `ERR_INBOX_REQUEST` for a path that leads elsewhere, a refusal, or a larger file. Rejects with the signal's reason
 * when that is aborted.
 */
export type GatewayDownload = (
  path: string,
  options: { readonly maxBytes: number; readonly signal: AbortSignal },
) => Promise<Uint8Array>;

/**
 * Checks the labels of a source.
 *
 * @throws {InboxError} `ERR_INBOX_OPTION` for a `name` that is empty, an `owner` that is not a string, or one of them
 * too long.
 */
export function assertLabels(name: unknown, owner: unknown): void {
  if (typeof name !== "string" || name === "") throw optionError("name", "a string that is not empty", name);
  if (owner !== undefined && typeof owner !== "string") throw optionError("owner", "a string", owner);
  const longest = `at most ${MAX_ID_CHARS} characters long`;
  if (isTooLongAnId(name)) throw optionError("name", longest, name);
  if (isTooLongAnId(owner)) throw optionError("owner", longest, owner);
}
