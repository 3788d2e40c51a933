import { isAtLeast } from "./releases.ts";
import { BOT_TOKEN } from "./telegram.ts";

/** What the configuration of a {@link LiveGateway} depends on. */
export interface GatewayConfigInput {
  /** The release that reads it: a Gateway refuses to start with a field it does not know. */
  readonly version: string;
  readonly port: number;
  readonly token: string;
  readonly modelUrl: string;
  readonly workspace: string;
  readonly logFile: string;
  /** The addresses whose `X-Forwarded-For` it believes. */
  readonly trustedProxies?: readonly string[];
  /** Where Telegram's Bot API is. Without it the Gateway has no channel. */
  readonly telegramUrl?: string;
}

/**
 * The configuration of a Gateway that has one stub model, no channels but the stub of Telegram, and heartbeats only
 * when a scenario asks for one.
 */
export function gatewayConfig(input: GatewayConfigInput): object {
  const { version, port, token, modelUrl, workspace, logFile, trustedProxies, telegramUrl } = input;
  const [since81, since96] = [isAtLeast(version, "2026.8.1"), isAtLeast(version, "2026.9.6")];
  return {
    gateway: {
      mode: "local",
      port,
      bind: "loopback",
      auth: { mode: "token", token },
      controlUi: { enabled: false },
      ...(trustedProxies && { trustedProxies }),
      ...(since81 && { terminal: { enabled: false }, cliAgents: { enabled: false } }),
    },
    update: { checkOnStart: false },
    ...(since81 && { telemetry: { enabled: false }, skills: { workshop: { autonomous: { mode: "off" } } } }),
    discovery: { mdns: { mode: "off" } },
    // A rejected key puts its whole provider on hold, so the failing scenario has one of its own.
    models: { mode: "replace", providers: { stub: provider(modelUrl), failing: provider(modelUrl) } },
    agents: {
      defaults: {
        workspace,
        skipBootstrap: true,
        model: { primary: "stub/stub-1" },
        heartbeat: { every: "6h", target: "none" },
        maxConcurrent: 16,
      },
      ...(since81
        ? { entries: { main: { default: true }, ...(telegramUrl === undefined && { second: {} }) } }
        : { list: [{ id: "main", default: true }, { id: "second" }] }),
    },
    ...(since96 && { session: { notifyOnCreate: false } }),
    // What is said to a busy agent is answered afterwards, and not in the middle.
    messages: { queue: { mode: "followup" } },
    logging: { file: logFile },
    plugins: telegramUrl === undefined ? { enabled: false } : { enabled: true, allow: ["telegram"] },
    ...(telegramUrl !== undefined && { channels: { telegram: telegramChannel(telegramUrl) } }),
    browser: { enabled: false },
    cron: { enabled: true },
  };
}

/** Anybody may write to the bot. */
function telegramChannel(apiRoot: string): object {
  return { enabled: true, botToken: BOT_TOKEN, apiRoot, dmPolicy: "open", allowFrom: ["*"] };
}

function provider(baseUrl: string): object {
  const cost = { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 };
  const model = {
    id: "stub-1",
    name: "Stub",
    reasoning: false,
    input: ["text"],
    cost,
    contextWindow: 200_000,
    maxTokens: 8_192,
  };
  return { baseUrl, apiKey: "stub-local", api: "openai-completions", timeoutSeconds: 120, models: [model] };
}
