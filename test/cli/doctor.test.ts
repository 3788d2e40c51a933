import { writeFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { createServer as createTcpServer } from "node:net";
import { beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { WebSocketServer } from "ws";
import { runCli } from "../../src/cli/cli.ts";
import type { Finding } from "../../src/cli/doctor/finding.ts";
import { createTerminal } from "../../src/cli/terminal.ts";
import { certificate, certificateKey } from "../helpers/certificate.ts";
import { closedPort, listening } from "../helpers/listening.ts";
import { useTemporaryFolder } from "../helpers/temporary-folder.ts";
import { type Answerer, accept, createHandshakeServer, helloPayload, refuse } from "../source/handshake-server.ts";
import { fakeGateway } from "../testing/helpers.ts";
import { keptStreams } from "./streams.ts";

const token = "sesame-open-up";
const secret = `whsec_${Buffer.alloc(24, 5).toString("base64")}`;
const inFolder = useTemporaryFolder();

beforeEach(() => {
  for (const name of ["OPENCLAW_GATEWAY_URL", "LOG_LEVEL"]) vi.stubEnv(name, undefined);
  vi.stubEnv("OPENCLAW_GATEWAY_TOKEN", token);
  vi.stubEnv("OPENCLAW_INBOX_WEBHOOK_SECRET", secret);
  onTestFinished(() => void vi.unstubAllEnvs());
});

async function doctor(...args: string[]) {
  const streams = keptStreams(false);
  const code = await runCli(["doctor", ...args, "--json"], createTerminal(streams));
  const { stdout, stderr } = streams.written;
  expect(stdout + stderr).not.toMatch(/sesame|whsec_|BQUF/);
  const findings = stdout
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Finding);
  return { code, findings, stderr };
}

/** A server that answers every upgrade to a WebSocket with these bytes. */
async function proxy(answer: string): Promise<string> {
  const server = createServer();
  server.on("upgrade", (_request, socket) => socket.on("error", () => {}).end(answer));
  return `ws://127.0.0.1:${await listening(server)}`;
}

async function handshake(answer: Answerer): Promise<string> {
  const server = await createHandshakeServer(answer);
  onTestFinished(() => server.close());
  return server.url;
}

const refuses = (code: string, more: object = {}) =>
  handshake(({ id }, ws) => refuse(id, ws, { code: "INVALID_REQUEST", message: "no", details: { code, ...more } }));

const says = (payload: object) =>
  handshake(({ id, method }, ws) =>
    method === "connect"
      ? accept(id, ws, { ...helloPayload, ...payload })
      : accept(id, ws, { sessions: [{}, {}], jobs: [{}] }),
  );

/** A Gateway that is as it should be. */
const well = () => says({});

async function receiver(answer: RequestListener): Promise<string> {
  return `http://127.0.0.1:${await listening(createServer(answer))}/hook?key=sesame`;
}

const status = (code: number, headers: Record<string, string> = {}) =>
  receiver((request, response) => request.resume().on("end", () => response.writeHead(code, headers).end()));

/** Each set-up that is broken: its command line, the check that finds it, and what it says. */
const broken: Record<string, () => Promise<readonly [args: readonly string[], check: string, words: RegExp]>> = {
  "no address": async () => [[], "address", /--url or OPENCLAW_GATEWAY_URL/],
  "an address that is none": async () => [["--url", "http://127.0.0.1"], "options", /ws:\/\/ or wss:\/\/ address/],
  "a name that leads nowhere": async () => [
    ["--url", "ws://gateway.invalid:1", "--allow-insecure"],
    "address",
    /is unknown here/,
  ],
  "nobody listens": async () => [
    ["--url", `ws://127.0.0.1:${await closedPort(createTcpServer())}`],
    "address",
    /Nothing listens.*gateway\.bind/,
  ],
  "ws:// to a port that speaks TLS": async () => {
    const server = createTlsServer({ cert: certificate, key: certificateKey });
    return [["--url", `ws://127.0.0.1:${await listening(server)}`], "address", /begins with wss:/];
  },
  "wss:// to a port that does not": async () => [
    ["--url", (await well()).replace("ws:", "wss:")],
    "tls",
    /does not speak TLS/,
  ],
  "a certificate of its own": async () => {
    const server = createTlsServer({ cert: certificate, key: certificateKey });
    new WebSocketServer({ server });
    return [["--url", `wss://localhost:${await listening(server)}`], "tls", /does not trust.*tlsFingerprint/];
  },
  "another certificate than the one expected": async () => {
    const server = createTlsServer({ cert: certificate, key: certificateKey });
    new WebSocketServer({ server });
    const url = `wss://localhost:${await listening(server)}`;
    return [["--url", url, "--tls-fingerprint", "ab".repeat(32)], "tls", /not the one in `tlsFingerprint`/];
  },
  "a port where no Gateway is": async () => [
    ["--url", `ws://127.0.0.1:${await listening(createTcpServer())}`],
    "address",
    /does not answer as a Gateway does/,
  ],
  "a public host over plain ws://": async () => [
    ["--url", "ws://203.0.113.7:1"],
    "address",
    /public IP addresses stay refused/,
  ],
  "a proxy that wants a sign-in": async () => [
    ["--url", await proxy("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n")],
    "proxy",
    /HTTP 403/,
  ],
  "a proxy that the Gateway does not know": async () => {
    const body = JSON.stringify({ error: { type: "proxy_attribution_required", message: "no" } });
    const url = await proxy(`HTTP/1.1 403 Forbidden\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
    return [["--url", url], "proxy", /gateway\.trustedProxies/];
  },
  "the wrong token": async () => [["--url", await refuses("AUTH_TOKEN_MISMATCH")], "token", /refused the token/],
  "a device that is not paired": async () => [
    ["--url", await refuses("PAIRING_REQUIRED", { requestId: "req-17" })],
    "device",
    /openclaw devices approve req-17/,
  ],
  "a device file that is damaged": async () => {
    writeFileSync(inFolder("device.json"), "sesame");
    return [["--url", await well(), "--device", inFolder("device.json")], "address", /is no device file/];
  },
  "no right to read": async () => [
    ["--url", await says({ auth: { scopes: [] } })],
    "scopes",
    /does not grant operator\.read.*openclaw-inbox pair/,
  ],
  "another protocol": async () => [
    ["--url", await refuses("PROTOCOL_MISMATCH")],
    "protocol",
    /another protocol version/,
  ],
  "a ledger in a folder that is not there": async () => [
    ["--url", await well(), "--ledger", inFolder("missing/inbox.db")],
    "ledger",
    /There is no folder.*mkdir -p/,
  ],
  "a ledger that is another file": async () => {
    writeFileSync(inFolder("inbox.db"), "another file\n".repeat(1_000));
    return [["--url", await well(), "--ledger", inFolder("inbox.db")], "ledger", /inbox\.db/];
  },
  "a webhook where nobody listens": async () => {
    const port = await closedPort(createTcpServer());
    const args = ["--url", await well(), "--webhook", `http://127.0.0.1:${port}/hook`];
    return [args, "webhook", /ECONNREFUSED.*Start the receiver/];
  },
  "a webhook over plain http to another host": async () => [
    ["--url", await well(), "--webhook", "http://web:3000/hook"],
    "webhook",
    /allowInsecure/,
  ],
  "a receiver with another secret": async () => [
    ["--url", await well(), "--webhook", await status(401)],
    "webhook",
    /answered a signed test with 401.*same secret/,
  ],
  "a receiver that redirects": async () => [
    ["--url", await well(), "--webhook", await status(301, { location: "https://h/" })],
    "webhook",
    /with 301.*leads to https/,
  ],
  "a receiver without that route": async () => [
    ["--url", await well(), "--webhook", await status(404)],
    "webhook",
    /with 404.*no such route/,
  ],
  "no secret for the webhook": async () => {
    vi.stubEnv("OPENCLAW_INBOX_WEBHOOK_SECRET", "");
    return [["--url", await well(), "--webhook", "http://127.0.0.1:1/"], "webhook", /Expected the secret of --webhook/];
  },
  "a configuration with a slip": async () => {
    writeFileSync(inFolder("inbox.json"), JSON.stringify({ gatewy: {} }));
    return [["--config", inFolder("inbox.json")], "configuration", /did you mean `gateway`/];
  },
};

describe("doctor", () => {
  it.each(Object.entries(broken))("finds: %s", async (_name, prepare) => {
    const [args, check, words] = await prepare();
    const { code, findings } = await doctor(...args);
    const failures = findings.filter((finding) => finding.status === "failed");
    expect(failures).toHaveLength(1);
    expect(failures[0]?.check).toBe(check);
    expect(`${failures[0]?.text} ${failures[0]?.fix ?? ""}`).toMatch(words);
    expect(code).toBe(1);
  });

  it("finds nothing and exits with 0 where all is well", async () => {
    const gateway = await fakeGateway();
    vi.stubEnv("OPENCLAW_GATEWAY_TOKEN", gateway.token);
    let body = "";
    const hook = await receiver((request, response) => {
      request.setEncoding("utf8").on("data", (piece: string) => (body += piece));
      request.on("end", () => response.writeHead(204).end());
    });
    const { code, findings } = await doctor("--url", gateway.url, "--webhook", hook, "--ledger", inFolder("new.db"));
    expect(findings.map(({ check, status }) => `${check} ${status}`)).toEqual([
      "address ok",
      "token ok",
      "version ok",
      "scopes ok",
      "clocks ok",
      "sessions ok",
      "jobs ok",
      "wire ok",
      "ledger ok",
      "webhook ok",
    ]);
    expect(JSON.parse(body)).toMatchObject({ type: "openclaw.test" });
    expect(code).toBe(0);
  });

  it.each([
    ["2026.4.1", "older than the versions tested"],
    ["2027.1.0", "newer than the versions tested"],
    [undefined, "does not say which version"],
  ])("warns of a Gateway of the version %s and exits with 0", async (version, words) => {
    const { code, findings } = await doctor("--url", await says({ server: { version } }));
    expect(findings.filter(({ status }) => status !== "ok")).toEqual([
      expect.objectContaining({ check: "version", status: "warning", text: expect.stringContaining(words) as string }),
    ]);
    expect(code).toBe(0);
  });

  it("warns of what no tested Gateway has sent, by names only", async () => {
    const gateway = await fakeGateway();
    vi.stubEnv("OPENCLAW_GATEWAY_TOKEN", gateway.token);
    const sessionKey = "agent:main:main";
    gateway.say("Confidential.", { sessionKey });
    const odd = { role: "assistant", mood: "Confidential.", content: [{ type: "hologram", text: "Confidential." }] };
    gateway.transcripts.add(sessionKey, { ...odd, "Confidential words": 1 });
    gateway.respond("cron.list", () => ({
      jobs: [
        { id: "j", payload: { kind: "opera" } },
        { id: "k", colour: "red" },
      ],
    }));
    const { code, findings } = await doctor("--url", gateway.url);
    const wire = findings.find(({ check }) => check === "wire");
    expect(wire).toMatchObject({ status: "warning" });
    expect(wire?.text).toBe(
      "It sends what no tested version has sent: cron job kind opera, cron job field colour, message field mood, " +
        "message field (not shown), content block hologram.",
    );
    expect(JSON.stringify(findings)).not.toContain("Confidential");
    expect(code).toBe(0);
  });

  it("looks at every job of a Gateway that lists them page by page", async () => {
    const gateway = await fakeGateway();
    vi.stubEnv("OPENCLAW_GATEWAY_TOKEN", gateway.token);
    const jobs = Array.from({ length: 201 }, (_, index) => ({
      id: `j${index}`,
      ...(index === 200 && { colour: "red" }),
    }));
    gateway.respond("cron.list", ({ offset = 0, limit = 50 }: { offset?: number; limit?: number }) => {
      const page = jobs.slice(offset, offset + Math.min(limit, 200));
      return { jobs: page, total: jobs.length, hasMore: offset + page.length < jobs.length };
    });
    const { findings } = await doctor("--url", gateway.url);
    const textOf = (wanted: string) => findings.find(({ check }) => check === wanted)?.text;
    expect(textOf("jobs")).toBe("The Gateway shows us 201 jobs.");
    expect(textOf("wire")).toBe("It sends what no tested version has sent: cron job field colour.");
  });

  it("counts sessions beyond the first page", async () => {
    const gateway = await fakeGateway();
    vi.stubEnv("OPENCLAW_GATEWAY_TOKEN", gateway.token);
    for (let index = 0; index < 120; index += 1) gateway.say("Hello.", { sessionKey: `agent:main:team:${index}` });
    const { findings } = await doctor("--url", gateway.url);
    expect(findings.find(({ check }) => check === "sessions")?.text).toBe("The Gateway shows us 120 sessions.");
  });

  it("warns of a clock that is off", async () => {
    const server = createServer((_request, response) =>
      response.writeHead(200, { date: new Date(Date.now() - 600_000).toUTCString() }).end(),
    );
    new WebSocketServer({ server }).on("connection", (ws) => {
      ws.send(JSON.stringify({ type: "event", event: "connect.challenge", payload: { nonce: "n", ts: 1 } }));
      ws.on("message", (data) => accept((JSON.parse(String(data)) as { id: string }).id, ws, helloPayload));
    });
    const { findings } = await doctor("--url", `ws://127.0.0.1:${await listening(server)}`);
    expect(findings).toContainEqual(
      expect.objectContaining({
        check: "clocks",
        status: "warning",
        text: "The Gateway's clock is 10 min behind ours.",
      }),
    );
  });

  it("prints one line for each finding and its remedy below", async () => {
    const streams = keptStreams(false);
    const code = await runCli(["doctor", "--url", await refuses("AUTH_TOKEN_MISMATCH")], createTerminal(streams));
    expect(streams.written.stdout).toMatch(
      /^ok {7}address +Something listens at .*\nFAILED {3}token +The Gateway refused/,
    );
    expect(code).toBe(1);
  });

  it("checks each Gateway of a configuration under its name", async () => {
    const file = inFolder("inbox.json");
    const gateway = [
      { name: "home", url: await well() },
      { name: "work", url: await refuses("AUTH_TOKEN_MISMATCH") },
    ];
    writeFileSync(file, JSON.stringify({ gateway }));
    const { findings } = await doctor("--config", file);
    expect(findings).toContainEqual(expect.objectContaining({ gateway: "home", check: "jobs", status: "ok" }));
    expect(findings.at(-1)).toMatchObject({ gateway: "work", check: "token", status: "failed" });
  });
});
