import { randomUUID } from "node:crypto";
import type { Connection } from "./connection.ts";
import { invalidHandshake, type Refusal, refusal } from "./gateway-errors.ts";

/** What hello says of a Gateway. */
export interface HandshakeTerms {
  /** Its release, such as `"2026.9.6"`. */
  readonly version: string;
  readonly token: string;
  /** The scopes that a client can get; it gets those it asks for. */
  readonly scopes: readonly string[];
  readonly tickIntervalMs: number;
  readonly maxPayload: number;
  readonly bootId: string;
  readonly startedAt: number;
  readonly methods: readonly string[];
}

/** One request of a client. */
export interface GatewayRequestFrame {
  readonly id: string;
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
}

/** The first frame on every socket. It has no `seq`, since numbering begins after hello. */
export function challenge(now: number): string {
  const payload = { nonce: randomUUID(), ts: now, capabilities: ["model-catalog-snapshot"] };
  return JSON.stringify({ type: "event", event: "connect.challenge", payload });
}

/** Reads one message of a client. Undefined when it is no request. */
export function readRequest(text: string): GatewayRequestFrame | undefined {
  let frame: Partial<Record<string, unknown>> | null;
  try {
    frame = JSON.parse(text) as Partial<Record<string, unknown>> | null;
  } catch {
    return undefined;
  }
  const { type, id, method, params } = frame ?? {};
  if (type !== "req" || typeof id !== "string" || typeof method !== "string") return undefined;
  return { id, method, params: isRecord(params) ? params : {} };
}

/** Checks a client's first request: accepts the client and returns hello, or returns the refusal. */
export function shakeHands(
  connection: Connection,
  request: GatewayRequestFrame,
  terms: HandshakeTerms,
  now: number,
): { readonly hello: object } | { readonly refused: Refusal } {
  if (request.method !== "connect")
    return { refused: invalidHandshake("invalid handshake: first request must be connect") };
  const { params } = request;
  const { client, auth, role = "operator" } = params;
  if (!isRecord(client) || typeof params["minProtocol"] !== "number" || typeof params["maxProtocol"] !== "number") {
    return { refused: invalidHandshake("invalid connect params: at root: must have the required properties") };
  }
  if (params["minProtocol"] > 4 || params["maxProtocol"] < 4) return { refused: refusal("protocol") };
  const token = isRecord(auth) ? auth["token"] : undefined;
  if (token === undefined) return { refused: refusal("missing-token") };
  if (token !== terms.token) return { refused: refusal("wrong-token") };
  const asked = Array.isArray(params["scopes"]) ? params["scopes"] : [];
  const granted = terms.scopes.filter((scope) => asked.includes(scope));
  connection.admit(client, String(role), granted);
  return { hello: helloOk(connection, terms, now) };
}

function helloOk(connection: Connection, terms: HandshakeTerms, now: number): object {
  return {
    type: "hello-ok",
    protocol: 4,
    server: {
      version: terms.version,
      buildId: "fake-gateway",
      bootId: terms.bootId,
      controlUiBuildSource: "bundled",
      connId: connection.id,
    },
    features: { methods: terms.methods, events: EVENTS, capabilities: ["chat-send-routing-contract"] },
    snapshot: {
      suspension: { phase: "accepting" },
      presence: [],
      health: { ok: true, ts: now, durationMs: 0, defaultAgentId: "main", agents: [] },
      stateVersion: { presence: 1, health: 1 },
      uptimeMs: now - terms.startedAt,
      appliedConfigHash: "fake",
      sessionDefaults: SESSION_DEFAULTS,
      updateSchedule: { channel: "stable", autoEnabled: false },
    },
    controlUiWidgetKinds: [],
    auth: { method: "token", role: connection.role, scopes: connection.scopes, recoveryScope: "fake" },
    policy: {
      maxPayload: terms.maxPayload,
      maxBufferedBytes: 52_428_800,
      tickIntervalMs: terms.tickIntervalMs,
      attachments: { maxBytes: 19_464_192, maxImageBytes: 6_291_456 },
      allowedSessionVisibilities: ["shared", "read-only", "suggest", "draft"],
      hasMultipleSessionSharingIdentities: false,
    },
  };
}

const EVENTS = [
  "connect.challenge",
  "agent",
  "chat",
  "session.message",
  "sessions.changed",
  "tick",
  "shutdown",
  "heartbeat",
  "cron",
];

const SESSION_DEFAULTS = {
  defaultAgentId: "main",
  modelConfigured: true,
  ownership: "sole",
  selectionRequired: false,
  mainKey: "main",
  mainSessionKey: "agent:main:main",
  scope: "per-sender",
};

/** Whether `value` is an object with string keys. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
