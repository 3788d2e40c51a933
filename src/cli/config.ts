import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { WebhookEvent } from "../delivery/webhook/options.ts";
import { errorText, isInboxError } from "../errors.ts";
import { nearest } from "../kit/nearest.ts";
import { defaults, type InboxOptions } from "../options.ts";
import { createDevice } from "../source/gateway/device-file.ts";
import type { GatewayOptions } from "../source/gateway/options.ts";
import type { Origin, ProactiveMessage } from "../types.ts";
import { UsageError } from "./usage-error.ts";

/** The content of a `--config` file. `createInbox` checks what it gets; the rest is checked here. */
export interface Config {
  readonly gateways: readonly GatewayOptions[];
  readonly session?: string;
  readonly accept?: (message: ProactiveMessage) => boolean;
  readonly ledger?: string;
  readonly webhook?: WebhookConfig;
  readonly serve?: string;
  readonly logLevel?: string;
  /** Passed to `createInbox` unchanged, and checked there. */
  readonly inbox: InboxOptions;
}

export interface WebhookConfig {
  readonly url: string;
  readonly secrets?: readonly string[];
  readonly allowInsecure?: boolean;
  readonly timeoutMs?: number;
  readonly maxBodyBytes?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly events?: readonly WebhookEvent[];
}

type Fields = Readonly<Record<string, unknown>>;

/** The options of `createInbox` that can be written in JSON. */
const passedOn = [
  "retry",
  ...Object.entries(defaults).flatMap(([name, value]) =>
    name !== "inspectText" && ["number", "string", "boolean"].includes(typeof value) ? [name] : [],
  ),
];
const keys = {
  "": ["gateway", "session", "accept", "ledger", "webhook", "serve", "logLevel", ...passedOn],
  gateway: [
    "url",
    "token",
    "tokenFile",
    "password",
    "passwordFile",
    "name",
    "owner",
    "scopes",
    "allowInsecure",
    "tlsFingerprint",
    "device",
    "requestTimeoutMs",
  ],
  accept: ["origin", "agent", "sessionPrefix"],
  webhook: ["url", "secretFile", "allowInsecure", "timeoutMs", "maxBodyBytes", "headers", "events"],
} as const;
const origins: readonly Origin[] = ["cron", "heartbeat", "announcement", "injected", "requested", "unknown"];

/**
 * Reads a configuration file. Paths in it are relative to its folder.
 *
 * @throws {UsageError} when it cannot be read or holds a mistake. The error names the path in the file, but no value
 * that may be a secret.
 */
export function readConfig(file: string): Config {
  try {
    return toConfig(parse(file), dirname(resolve(file)));
  } catch (error) {
    if (error instanceof UsageError || isInboxError(error, "ERR_INBOX_OPTION"))
      throw new UsageError(`${error.message}, in ${file}`);
    throw error;
  }
}

function parse(file: string): Fields {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new UsageError(`The configuration cannot be read: ${errorText(error)}`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text.replace(/^\ufeff/, ""));
  } catch {
    // Node's own message quotes the text, which may hold a token.
    throw new UsageError("Expected the configuration to be JSON");
  }
  return fields("", value);
}

function toConfig(config: Fields, folder: string): Config {
  const { gateway, session, accept, ledger, webhook, serve, logLevel, ...rest } = config;
  const gateways = gateway === undefined ? [] : [gateway].flat();
  return {
    gateways: gateways.map((one, index) =>
      toGateway(one, folder, Array.isArray(gateway) ? `gateway[${index}]` : "gateway"),
    ),
    inbox: withInfinity(rest) as InboxOptions,
    ...(session !== undefined && { session: text("session", session) }),
    ...(accept !== undefined && { accept: toAccept(accept) }),
    ...(ledger !== undefined && { ledger: toLedger(text("ledger", ledger), folder) }),
    ...(webhook !== undefined && { webhook: toWebhook(webhook, folder) }),
    ...(serve !== undefined && { serve: text("serve", serve) }),
    ...(logLevel !== undefined && { logLevel: text("logLevel", logLevel) }),
  };
}

function toGateway(value: unknown, folder: string, path: string): GatewayOptions {
  const { tokenFile, passwordFile, device, ...rest } = fields("gateway", value, path);
  try {
    return {
      ...(rest as unknown as GatewayOptions),
      ...(tokenFile !== undefined && { token: secretIn(`${path}.tokenFile`, tokenFile, folder) }),
      ...(passwordFile !== undefined && { password: secretIn(`${path}.passwordFile`, passwordFile, folder) }),
      ...(device !== undefined && { device: createDevice(resolve(folder, text(`${path}.device`, device))) }),
    };
  } catch (error) {
    if (isInboxError(error, "ERR_INBOX_OPTION")) throw new UsageError(`\`${path}\`: ${error.message}`);
    throw error;
  }
}

/** Which messages to accept: those that fit every filter that is set. */
function toAccept(value: unknown): (message: ProactiveMessage) => boolean {
  const { origin, agent, sessionPrefix } = fields("accept", value);
  const wanted = origin === undefined ? undefined : texts("accept.origin", origin);
  const stranger = wanted?.find((one) => !origins.includes(one as Origin));
  if (stranger !== undefined)
    throw new UsageError(`Expected \`accept.origin\` to be of ${origins.join(", ")}, got \`${stranger.slice(0, 40)}\``);
  const agents = agent === undefined ? undefined : new Set(texts("accept.agent", agent));
  const prefixes = sessionPrefix === undefined ? undefined : texts("accept.sessionPrefix", sessionPrefix);
  return ({ origin, sessionKey }) =>
    (wanted === undefined || wanted.includes(origin)) &&
    (agents === undefined || agents.has(/^agent:([^:]+)/.exec(sessionKey)?.[1] ?? "")) &&
    (prefixes === undefined || prefixes.some((prefix) => sessionKey.startsWith(prefix)));
}

function toWebhook(value: unknown, folder: string): WebhookConfig {
  const { url, secretFile, ...rest } = fields("webhook", value);
  return {
    ...rest,
    url: text("webhook.url", url),
    ...(secretFile !== undefined && { secrets: secretIn("webhook.secretFile", secretFile, folder).split(/\s+/) }),
  };
}

function toLedger(ledger: string, folder: string): string {
  return /^\w+:\/\//.test(ledger) ? ledger : resolve(folder, ledger);
}

/** Reads a secret from a file. Docker and Kubernetes put secrets into files. */
function secretIn(path: string, value: unknown, folder: string): string {
  const file = resolve(folder, text(path, value));
  let secret: string;
  try {
    secret = readFileSync(file, "utf8").trim();
  } catch (error) {
    throw new UsageError(`\`${path}\` cannot be read: ${errorText(error)}`);
  }
  if (secret === "") throw new UsageError(`\`${path}\` is an empty file`);
  return secret;
}

/** JSON has no Infinity, but `retry.maxAttempts` and `timeoutMs` may be infinite. */
function withInfinity(value: unknown): unknown {
  if (value === "Infinity") return Number.POSITIVE_INFINITY;
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, withInfinity(part)]));
}

function fields(of: keyof typeof keys, value: unknown, path: string = of): Fields {
  const what = path === "" ? "the configuration" : `\`${path}\``;
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new UsageError(`Expected ${what} to be an object`);
  const known: readonly string[] = keys[of];
  for (const key of Object.keys(value)) {
    if (known.includes(key)) continue;
    const name = nearest(key, known);
    const hint = name === undefined ? `; there are ${known.join(", ")}` : `; did you mean \`${name}\`?`;
    throw new UsageError(`There is no \`${path === "" ? "" : `${path}.`}${key.slice(0, 40)}\`${hint}`);
  }
  return value as Fields;
}

function text(path: string, value: unknown): string {
  if (typeof value !== "string" || value === "")
    throw new UsageError(`Expected \`${path}\` to be a text that is not empty`);
  return value;
}

/** One text, or several. */
function texts(path: string, value: unknown): readonly string[] {
  const list: readonly unknown[] = [value].flat();
  if (list.length === 0) throw new UsageError(`Expected \`${path}\` to be a text, or an array of at least one`);
  return list.map((one) => text(path, one));
}
