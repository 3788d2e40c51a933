import { connect } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { readServeAddress, serveHealth } from "../../src/cli/serve.ts";
import { createInbox } from "../../src/inbox.ts";
import { fakeGateway } from "../testing/helpers.ts";
import { runCli } from "./run-cli.ts";

async function served() {
  const gateway = await fakeGateway();
  const inbox = createInbox({ gateway: { url: gateway.url, token: gateway.token } });
  const server = await serveHealth(inbox, { host: "127.0.0.1", port: 0 });
  onTestFinished(async () => {
    await server[Symbol.asyncDispose]();
    await inbox.stop();
  });
  return { gateway, inbox, server };
}

describe("a health server", () => {
  it("is ready when every link is live", async () => {
    const { inbox, server } = await served();
    const status = async (path: string) => (await fetch(`${server.url}${path}`)).status;
    expect([await status("/healthz"), await status("/readyz")]).toEqual([200, 503]);
    await inbox.start();
    const ready = await fetch(`${server.url}/readyz`);
    expect([ready.status, await ready.text()]).toEqual([200, "default: live\n"]);
    await inbox.stop();
    expect([await status("/healthz"), await status("/readyz")]).toEqual([200, 503]);
  });

  it("has the metrics without texts or session keys", async () => {
    const { gateway, inbox, server } = await served();
    await inbox.start();
    gateway.say("Confidential", { sessionKey: "agent:main:secret-room" });
    await gateway.flushed();
    const metrics = await (await fetch(`${server.url}/metrics?x=1`)).text();
    expect(metrics).toContain('openclaw_inbox_links{gateway="default",state="live"} 1');
    expect(metrics).not.toMatch(/Confidential|secret-room/);
  });

  it.each(["/", "/__proto__", "/constructor", "/hasOwnProperty", "//", "/metrics/", "/%2e%2e/metrics", "*"])(
    "answers 404 for %s",
    async (path) => {
      const { server } = await served();
      expect(await exchange(server.url, `GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`)).toMatch(/^HTTP\/1.1 404 /);
    },
  );

  it("accepts only reads", async () => {
    const { server } = await served();
    expect((await fetch(`${server.url}/healthz`, { method: "POST", body: "x" })).status).toBe(405);
    const head = await fetch(`${server.url}/metrics`, { method: "HEAD" });
    expect([head.status, await head.text()]).toEqual([200, ""]);
  });

  it("answers one request a connection", async () => {
    const { server } = await served();
    const answer = await exchange(server.url, "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n".repeat(5_000));
    expect(answer.match(/HTTP\/1\.1 200/g)).toHaveLength(1);
  });

  it("says that a port is taken", async () => {
    const { inbox, server } = await served();
    const port = Number(new URL(server.url).port);
    await expect(serveHealth(inbox, { host: "127.0.0.1", port })).rejects.toThrow("EADDRINUSE");
  });
});

describe("the address to serve on", () => {
  it.each([
    ["8080", { host: "127.0.0.1", port: 8080 }],
    ["0.0.0.0:8080", { host: "0.0.0.0", port: 8080 }],
    ["[::]:0", { host: "::", port: 0 }],
    ["inbox.internal:80", { host: "inbox.internal", port: 80 }],
  ])("is read from %s", (text, address) => {
    expect(readServeAddress(text, "--serve")).toEqual(address);
  });

  it.each(["", "x", ":80", "::1:80", "h:99999", "h:", "h:1:2"])("is not read from %j", (text) => {
    expect(() => readServeAddress(text, "--serve")).toThrow("to be PORT or HOST:PORT");
  });
});

it("is served by listen --serve until SIGTERM", async () => {
  const gateway = await fakeGateway();
  const cli = runCli(["listen", "--url", gateway.url, "--serve", "0"], { OPENCLAW_GATEWAY_TOKEN: gateway.token });
  await cli.written("Listening to default");
  const url = /"url":"(http:[^"]+)"/.exec(cli.stderr)?.[1] ?? "";
  expect(new URL(url).hostname).toBe("127.0.0.1");
  expect((await fetch(`${url}/readyz`)).status).toBe(200);
  cli.child.kill("SIGTERM");
  expect(await cli.ended).toEqual({ code: 0, signal: null });
});

/** What a server sends to raw bytes, until it closes. */
function exchange(url: string, request: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = "";
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname, () => socket.end(request));
    socket.setEncoding("utf8").on("data", (piece: string) => (answer += piece));
    socket.on("error", () => {});
    socket.on("close", () => resolve(answer));
  });
}
