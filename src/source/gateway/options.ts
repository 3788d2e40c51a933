import { createPrivateKey, createPublicKey } from "node:crypto";
import { assertKnownKeys, InboxError, optionError } from "../../errors.ts";
import { MAX_DELAY_MS } from "../../kit/clock.ts";
import { assertLabels } from "../source.ts";
import { deviceIdOf, type GatewayDevice } from "./device.ts";

/** How to reach one Gateway, and as whom. */
export interface GatewayOptions {
  /**
   * The Gateway's address, e.g. `"ws://127.0.0.1:18789"`. Plain `ws://` is allowed only to loopback, private addresses,
   * `.local` and `.ts.net`. For any other host the link is `refused`, unless {@link allowInsecure} is set.
   */
  readonly url: string;
  /** The Gateway's shared token (`gateway.auth.token` in its config). Never appears in an error or a link event. */
  readonly token?: string;
  /** The Gateway's password, if it uses one instead of a token. Never appears in an error or a link event. */
  readonly password?: string;
  /**
   * The Gateway's name. It is part of every run's identity, so use the same on every host. Two connections to one
   * Gateway use the same name, two Gateways need two names.
   *
   * @default "default"
   */
  readonly name?: string;
  /** A label for this connection. Its messages have it as `owner`. */
  readonly owner?: string;
  /**
   * The scopes to request. Listening needs `"operator.read"`. Add `"operator.write"` only for your own requests that
   * need it.
   *
   * @default ["operator.read"]
   */
  readonly scopes?: readonly string[];
  /**
   * Allows plain `ws://` to any host name, e.g. `ws://openclaw-gateway:18789` in a network of Docker or Kubernetes.
   * Anyone who can listen on the network sees the token and the conversations. Public IP addresses stay refused.
   *
   * @default false
   */
  readonly allowInsecure?: boolean;
  /**
   * SHA-256 fingerprint (hex, colons allowed) of the only certificate to accept, even if no authority signed it.
   * `wss://` only.
   */
  readonly tlsFingerprint?: string;
  /**
   * This host as a device: `createDevice(file)`. Over loopback it is not needed, because the shared token is enough.
   * Elsewhere the Gateway wants each device to be paired once. Then the link is `refused` with the id of the pairing
   * request, a person approves it with `openclaw devices approve`, and the host starts again. `openclaw-inbox pair`
   * waits for the approval.
   */
  readonly device?: GatewayDevice;
  /**
   * How long a request may wait for its answer, in ms, 1 to 2,147,483,647. Requests for catching up wait at most
   * 20,000.
   *
   * @default 30_000
   */
  readonly requestTimeoutMs?: number;
}

/** {@link GatewayOptions}, checked and filled in. */
export interface GatewaySettings extends GatewayOptions {
  readonly name: string;
  readonly scopes: readonly string[];
  readonly requestTimeoutMs: number;
  readonly allowInsecure: boolean;
  /** The url without user, path and query, for use in a sentence. */
  readonly address: string;
}

const known: readonly string[] = [
  "url",
  "token",
  "password",
  "name",
  "owner",
  "scopes",
  "allowInsecure",
  "tlsFingerprint",
  "device",
  "requestTimeoutMs",
] satisfies (keyof GatewayOptions)[];

const fingerprint = /^(sha256:)?([0-9a-f]{64}|([0-9a-f]{2}:){31}[0-9a-f]{2})$/i;

/**
 * Checks a caller's options. Throws `ERR_INBOX_OPTION` naming the option. The value of a secret is never in the
 * message.
 */
export function readGatewayOptions(options: GatewayOptions): GatewaySettings {
  if (typeof options !== "object" || options === null) throw optionError("options", "an object", options);
  assertKnownKeys("gatewaySource()", options, known);
  const url = readUrl(options.url);
  const { name = "default", scopes = ["operator.read"], requestTimeoutMs = 30_000, allowInsecure = false } = options;
  for (const secret of ["token", "password"] as const) {
    const value: unknown = options[secret];
    if (value !== undefined && (typeof value !== "string" || value.trim() === "")) {
      throw secretError(
        secret,
        "a string that is not blank",
        typeof value === "string" ? "a blank string" : typeof value,
      );
    }
  }
  assertLabels(name, options.owner);
  if (
    !Array.isArray(scopes) ||
    scopes.length === 0 ||
    scopes.some((scope) => typeof scope !== "string" || scope === "")
  ) {
    throw optionError("scopes", "an array of one or more scope names", scopes);
  }
  if (!Number.isInteger(requestTimeoutMs) || requestTimeoutMs < 1 || requestTimeoutMs > MAX_DELAY_MS) {
    throw optionError("requestTimeoutMs", `an integer from 1 to ${MAX_DELAY_MS}`, requestTimeoutMs);
  }
  if (typeof allowInsecure !== "boolean") throw optionError("allowInsecure", "true or false", allowInsecure);
  checkTls(options.tlsFingerprint, url);
  if (options.device !== undefined) checkDevice(options.device);
  return Object.freeze({
    ...options,
    name,
    scopes,
    requestTimeoutMs,
    allowInsecure,
    address: `${url.protocol}//${url.host}`,
  });
}

function readUrl(value: unknown): URL {
  const expected = "a ws:// or wss:// address";
  if (typeof value !== "string") throw optionError("url", expected, value);
  const url = URL.canParse(value) ? new URL(value) : undefined;
  // A pasted address may hold a token in its user or query, so only its harmless parts are shown.
  if (url === undefined) throw secretError("url", expected, "a string that is not an address");
  if (url.protocol !== "ws:" && url.protocol !== "wss:")
    throw secretError("url", expected, `\`${url.protocol}//${url.host}\` (string)`);
  if (url.hash !== "")
    throw secretError("url", `${expected} without a #fragment`, `\`${url.protocol}//${url.host}#...\` (string)`);
  return url;
}

function checkTls(value: unknown, url: URL): void {
  if (value === undefined) return;
  if (typeof value !== "string" || !fingerprint.test(value.trim())) {
    throw optionError("tlsFingerprint", "a SHA-256 fingerprint (64 hex digits, colons allowed)", value);
  }
  if (url.protocol !== "wss:") throw optionError("tlsFingerprint", "absent, since `url` is not wss://", value);
}

/** The Gateway would refuse a key pair that does not match, or the first challenge would throw. */
function checkDevice(device: unknown): void {
  const { deviceId, publicKeyPem, privateKeyPem } = Object(device) as Readonly<Record<string, unknown>>;
  const expected =
    "a device: `createDevice(file)`, or `{ deviceId, publicKeyPem, privateKeyPem }` of one Ed25519 key pair";
  let id: string;
  let isPair = false;
  try {
    id = deviceIdOf(String(publicKeyPem));
    const publicKey = createPublicKey(createPrivateKey(String(privateKeyPem)));
    isPair = id === deviceIdOf(publicKey.export({ type: "spki", format: "pem" }) as string);
  } catch {
    throw secretError("device", expected, "keys that cannot be read");
  }
  if (!isPair) throw secretError("device", expected, "a private key that does not belong to the public key");
  if (deviceId !== id) throw secretError("device", expected, "a `deviceId` that is not the public key's SHA-256");
}

/** Like `optionError`, for an option whose value may hold a secret. `shown` is quoted instead. */
function secretError(option: string, expected: string, shown: string): InboxError {
  return new InboxError("ERR_INBOX_OPTION", `Expected \`${option}\` to be ${expected}, got ${shown}`, { option });
}
