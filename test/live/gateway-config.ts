/** What the configuration of a {@link LiveGateway} depends on. */
export interface GatewayConfigInput {
  readonly port: number;
  readonly token: string;
  readonly modelUrl: string;
  readonly workspace: string;
  readonly logFile: string;
  /** The addresses whose `X-Forwarded-For` it believes. */
  readonly trustedProxies?: readonly string[];
}

/**
 * The configuration of a Gateway that has one stub model, no channels, and heartbeats only when a
 * scenario asks for one.
 */
export function gatewayConfig(input: GatewayConfigInput): object {
  const { port, token, modelUrl, workspace, logFile, trustedProxies } = input;
  return {
    gateway: {
      mode: "local",
      port,
      bind: "loopback",
      auth: { mode: "token", token },
      controlUi: { enabled: false },
      terminal: { enabled: false },
      cliAgents: { enabled: false },
      ...(trustedProxies && { trustedProxies }),
    },
    update: { checkOnStart: false },
    telemetry: { enabled: false },
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
      entries: { main: {}, second: {} },
    },
    session: { notifyOnCreate: false },
    logging: { file: logFile },
    plugins: { enabled: false },
    browser: { enabled: false },
    skills: { workshop: { autonomous: { mode: "off" } } },
    cron: { enabled: true },
  };
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
