import { createServer } from "node:http";
import { connect, createServer as createTcpServer } from "node:net";
import { describe, expect, it, vi } from "vitest";
import { gatewaySource } from "../../src/source/gateway/gateway.ts";
import type { GatewayOptions } from "../../src/source/gateway/options.ts";
import { createFakeGateway } from "../../src/testing/fake-gateway.ts";
import type { FakeGateway } from "../../src/testing/fake-gateway-api.ts";
import { listening } from "../helpers/listening.ts";
import { turn } from "../helpers/turns.ts";
import {
  accept,
  chatFrame,
  createHandshakeServer,
  type HandshakeServer,
  helloPayload,
  lockOutOnce,
  refuse,
  sendChat,
} from "./handshake-server.ts";
import { createHeard } from "./heard.ts";
import { closeAfterTest, listen, refuseWith, token } from "./open-source.ts";

function socket(server: HandshakeServer, attempt = 1) {
  const ws = server.sockets[attempt - 1];
  if (ws === undefined) throw new Error(`no connection ${attempt} yet`);
  return ws;
}

describe("a Gateway source", () => {
  it("reports connect and hello and then events", async () => {
    const { server, heard } = await listen();
    await heard.linked("hello");
    sendChat(socket(server), 1);
    sendChat(socket(server), 2);
    await heard.framed(2);
    expect(heard.order).toEqual(["connect", "hello", "frame", "frame"]);
    expect(heard.links[1]).toMatchObject({ hello: { type: "hello-ok", policy: helloPayload.policy } });
    expect(heard.frames).toEqual([JSON.parse(chatFrame(1)), JSON.parse(chatFrame(2))]);
  });

  it("signs in as an operator with read scope", async () => {
    const { server, heard } = await listen();
    await heard.linked("hello");
    expect(server.connects[0]?.params).toMatchObject({
      role: "operator",
      scopes: ["operator.read"],
      caps: [],
      client: { id: "gateway-client", mode: "backend", displayName: "openclaw-inbox" },
      auth: { token },
    });
    expect(server.connects[0]?.params).not.toHaveProperty("device");
  });

  it("removes a device token from the hello", async () => {
    const { heard } = await listen();
    await heard.linked("hello");
    expect(JSON.stringify(heard.links)).not.toContain("a-device-token");
  });

  it("asks for the given scopes", async () => {
    const { server, heard } = await listen(undefined, { scopes: ["operator.read", "operator.write"] });
    await heard.linked("hello");
    expect(server.connects[0]?.params["scopes"]).toEqual(["operator.read", "operator.write"]);
  });

  it("has its name and owner", () => {
    expect(gatewaySource({ url: "ws://127.0.0.1:1", name: "home", owner: "42" })).toMatchObject({
      name: "home",
      owner: "42",
    });
    expect(gatewaySource({ url: "ws://127.0.0.1:1" }).name).toBe("default");
    expect(gatewaySource({ url: "ws://127.0.0.1:1" })).not.toHaveProperty("owner");
  });

  it("reconnects after its connection broke", async () => {
    const { server, heard } = await listen();
    await heard.linked("hello");
    socket(server).terminate();
    await heard.linked("hello", 2);
    sendChat(socket(server, 2), 1);
    await heard.framed(1);
    expect(heard.order).toEqual(["connect", "hello", "lost", "connect", "hello", "frame"]);
    expect(heard.reasons).toEqual([`The connection to ${server.url} broke (1006).`]);
  });

  it("reports the close code and the Gateway's reason", async () => {
    const { server, heard } = await listen();
    await heard.linked("hello");
    socket(server).close(1012, "service restart");
    await heard.linked("lost");
    expect(heard.reasons).toEqual([`${server.url} closed the connection (1012 service restart).`]);
  });

  it("retries where nobody listens", async () => {
    const { server, source, heard } = await listen();
    await heard.linked("hello");
    await server.close();
    await heard.linked("lost", 2);
    await source.close();
    expect(heard.order).toEqual(["connect", "hello", "lost", "connect", "lost", "ended"]);
    expect(heard.reasons[1]).toBe(
      `Could not connect to ${server.url}: connect ECONNREFUSED ${server.url.slice("ws://".length)}.`,
    );
  });

  it("waits for a Gateway that is still starting", async () => {
    const { heard } = await listen(({ id }, ws, attempt) => {
      if (attempt > 2) return accept(id, ws, helloPayload);
      const details = { reason: "startup-sidecars" };
      refuse(id, ws, { code: "UNAVAILABLE", message: "gateway starting", retryable: true, retryAfterMs: 100, details });
      ws.close(1013, "gateway starting");
    });
    await heard.linked("hello");
    expect(heard.order).toEqual(["connect", "lost", "connect", "lost", "connect", "hello"]);
    expect(new Set(heard.reasons)).toEqual(new Set(["The Gateway is still starting."]));
  });

  it("waits until a lockout is over", async () => {
    const { heard } = await listen(lockOutOnce(1));
    await heard.linked("hello");
    expect(heard.order).toEqual(["connect", "lost", "connect", "hello"]);
    expect(heard.reasons[0]).toContain("too many failed sign-ins");
  });

  it("ignores messages that are no frames", async () => {
    const { server, heard } = await listen();
    await heard.linked("hello");
    const ws = socket(server);
    for (const garbage of [
      "{",
      "",
      "hello",
      Buffer.from([0xff, 0x00, 0xfe]),
      "null",
      "[]",
      '{"type":"event"}',
      '{"type":"what"}',
    ])
      ws.send(garbage);
    sendChat(ws, 1);
    await heard.framed(5);
    expect(heard.frames).toEqual(["", "", "", "", JSON.parse(chatFrame(1))]);
    expect(heard.order.slice(0, 2)).toEqual(["connect", "hello"]);
    expect(heard.links).toHaveLength(2);
  });

  it("reconnects after a frame above the client's limit", async () => {
    const { server, heard } = await listen();
    await heard.linked("hello");
    socket(server).send(Buffer.alloc(26_214_401, " "));
    await heard.linked("hello", 2);
    expect(heard.frames).toEqual([""]);
    expect(heard.reasons[0]).toContain("Max payload size exceeded");
  });

  it("reports ended when it is closed and nothing after", async () => {
    const { server, source, heard } = await listen();
    await heard.linked("hello");
    const closing = source.close();
    sendChat(socket(server), 1);
    await closing;
    await source.close();
    expect(heard.order).toEqual(["connect", "hello", "ended"]);
  });

  it("can be opened again after it was closed", async () => {
    const { server, source, heard } = await listen();
    await heard.linked("hello");
    await source.close();
    const again = createHeard();
    source.open(again);
    await again.linked("hello");
    expect(server.sockets).toHaveLength(2);
    expect(heard.order).toEqual(["connect", "hello", "ended"]);
  });

  it("can be closed and opened again before its client is loaded", async () => {
    const { server, source, heard } = await listen();
    const closing = source.close();
    const again = createHeard();
    source.open(again);
    await closing;
    await again.linked("hello");
    expect(server.sockets).toHaveLength(1);
    expect(heard.order).toEqual(["ended"]);
    expect(again.order).toEqual(["connect", "hello"]);
  });

  it("can be closed from within its listener", async () => {
    await using server = await createHandshakeServer();
    const source = gatewaySource({ url: server.url, token });
    const heard = createHeard((event) => event.type === "connect" && void source.close());
    source.open(heard);
    await heard.linked("ended");
    await source.close();
    expect(heard.order).toEqual(["connect", "ended"]);
    // No socket was made behind the closed source's back: the next one to come is the first.
    const later = gatewaySource({ url: server.url, token });
    closeAfterTest(later);
    const heardLater = createHeard();
    later.open(heardLater);
    await heardLater.linked("hello");
    expect(server.sockets).toHaveLength(1);
  });
});

describe("a Gateway source that is refused", () => {
  it("says where the token is set without showing it", async () => {
    const { heard } = await listen(
      refuseWith({ code: "INVALID_REQUEST", message: `bad ${token}`, details: { code: "AUTH_TOKEN_MISMATCH" } }),
    );
    await heard.linked("refused");
    expect(heard.order).toEqual(["connect", "refused"]);
    expect(heard.reasons[0]).toBe(
      "The Gateway refused the token. Set OPENCLAW_GATEWAY_TOKEN (or the `token` option) to the token in the Gateway's config (gateway.auth.token).",
    );
  });

  it("says how to approve this device", async () => {
    const details = { code: "PAIRING_REQUIRED", reason: "not-paired", requestId: "req-17" };
    const { heard } = await listen(refuseWith({ code: "NOT_PAIRED", message: "pairing required", details }));
    await heard.linked("refused");
    expect(heard.reasons[0]).toContain("`openclaw devices approve req-17`");
  });

  it("retries when it is told to wait for approval", async () => {
    const details = { code: "PAIRING_REQUIRED", requestId: "req-17", recommendedNextStep: "wait_then_retry" };
    const { heard } = await listen(({ id }, ws, attempt) =>
      attempt === 1
        ? refuse(id, ws, { code: "NOT_PAIRED", message: "pairing required", details })
        : accept(id, ws, helloPayload),
    );
    await heard.linked("hello");
    expect(heard.order).toEqual(["connect", "lost", "connect", "hello"]);
    expect(heard.reasons[0]).toContain("req-17");
  });

  it("stops where the client itself would retry", async () => {
    const { server, source, heard } = await listen(
      refuseWith({ code: "INVALID_REQUEST", message: "no", details: { code: "AUTH_TOKEN_NOT_CONFIGURED" } }),
    );
    await heard.linked("refused");
    await source.close();
    expect(server.sockets).toHaveLength(1);
    expect(heard.order).toEqual(["connect", "refused"]);
  });

  it("stops where it may not read", async () => {
    const { heard } = await listen(({ id }, ws) =>
      accept(id, ws, { ...helloPayload, auth: { role: "operator", scopes: [] } }),
    );
    await heard.linked("refused");
    expect(heard.order).toEqual(["connect", "refused"]);
    expect(heard.reasons[0]).toContain("operator.read");
  });

  it.each([
    ["nested 100,000 deep", `${'{"deep":'.repeat(100_000)}1${"}".repeat(100_000)}`],
    ["nested 100,000 arrays deep", "[".repeat(100_000) + "]".repeat(100_000)],
  ])("says why for a hello that is %s", async (_what, deep) => {
    const hello = JSON.stringify({ ...helloPayload, snapshot: "DEEP" }).replace('"DEEP"', deep);
    const { heard } = await listen(({ id }, ws) => ws.send(`{"type":"res","id":"${id}","ok":true,"payload":${hello}}`));
    await heard.linked("refused");
    expect(heard.order).toEqual(["connect", "refused"]);
    expect(heard.reasons[0]).toBe("The Gateway's hello cannot be read: it is nested more than 200 levels deep.");
  });

  it.each([{ toString: 1, valueOf: 1 }, null, [[]], 7])("accepts a scope that is no text: %j", async (scope) => {
    const { heard } = await listen(({ id }, ws) =>
      accept(id, ws, { ...helloPayload, auth: { role: "operator", scopes: [scope] } }),
    );
    await heard.linked("refused");
    expect(heard.reasons[0]).toContain("operator.read");
  });

  it("never sends a token to a public host over ws://", async () => {
    const source = gatewaySource({ url: "ws://gateway.example.com:18789", token });
    const heard = createHeard();
    source.open(heard);
    await heard.linked("refused");
    expect(heard.order).toEqual(["refused"]);
    expect(heard.reasons[0]).toContain("wss://");
  });

  it("reconnects when it is closed and opened after the mistake was mended", async () => {
    const { source, heard } = await listen(({ id }, ws, attempt) =>
      attempt === 1
        ? refuse(id, ws, { code: "INVALID_REQUEST", message: "no", details: { code: "AUTH_TOKEN_MISMATCH" } })
        : accept(id, ws, helloPayload),
    );
    await heard.linked("refused");
    await source.close();
    const again = createHeard();
    source.open(again);
    await again.linked("hello");
  });
});

describe("a Gateway source behind a proxy or CDN", () => {
  /** Answers each upgrade with the next of `answers`, then with the last one again; passes it on for `undefined`. */
  async function proxied(gatewayUrl: string, ...answers: (string | undefined)[]) {
    const server = createServer();
    let attempts = 0;
    server.on("upgrade", (request, socket) => {
      const answer = answers[Math.min(attempts, answers.length - 1)];
      attempts += 1;
      socket.on("error", () => {});
      if (answer !== undefined) return void socket.end(answer);
      const { hostname, port } = new URL(gatewayUrl);
      const far = connect(Number(port), hostname, () => {
        const { rawHeaders } = request;
        const headers = rawHeaders.flatMap((name, at) => (at % 2 === 0 ? [`${name}: ${rawHeaders[at + 1]}`] : []));
        far.write(`GET ${request.url} HTTP/1.1\r\n${headers.join("\r\n")}\r\n\r\n`);
        far.pipe(socket).pipe(far);
      });
      far.on("error", () => {});
    });
    return {
      url: `ws://127.0.0.1:${await listening(server)}`,
      get attempts() {
        return attempts;
      },
    };
  }
  const http = (status: string, body = "") =>
    `HTTP/1.1 ${status}\r\ncontent-length: ${body.length}\r\nlocation: /login\r\n\r\n${body}`;

  function start(options: GatewayOptions) {
    const source = gatewaySource(options);
    const heard = createHeard();
    closeAfterTest(source);
    source.open(heard);
    return heard;
  }

  it("retries when a CDN answers 403 for a moment", async () => {
    const server = await createHandshakeServer();
    closeAfterTest(server);
    const proxy = await proxied(server.url, http("403 Forbidden"), undefined);
    const heard = start({ url: proxy.url, token });
    await heard.linked("hello");
    expect(heard.order).toEqual(["connect", "lost", "connect", "hello"]);
    expect(heard.reasons[0]).toContain("(HTTP 403)");
  });

  it.each(["401 Unauthorized", "403 Forbidden", "302 Found"])("stops after five times %s", async (status) => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const proxy = await proxied("", http(status));
    const heard = start({ url: proxy.url, token });
    for (let attempt = 1; attempt < 5; attempt++) {
      await heard.linked("lost", attempt);
      while (vi.getTimerCount() === 0) await turn();
      vi.advanceTimersByTime(30_000);
    }
    expect(await heard.linked("refused")).toMatchObject({ code: `HTTP_${status.slice(0, 3)}` });
    expect(proxy.attempts).toBe(5);
    vi.useRealTimers();
  });

  it("names gateway.trustedProxies for an unknown proxy", async () => {
    const error = { message: "Proxy client attribution is required.", type: "proxy_attribution_required" };
    const proxy = await proxied("", http("403 Forbidden", JSON.stringify({ error })));
    const heard = start({ url: proxy.url, token });
    expect(await heard.linked("refused")).toMatchObject({ code: "PROXY_NOT_TRUSTED" });
    expect(heard.order).toEqual(["connect", "refused"]);
    expect(heard.reasons[0]).toContain("gateway.trustedProxies");
  });

  it("says what to try at a port that speaks TLS or does not", async () => {
    const plain = await createHandshakeServer();
    closeAfterTest(plain);
    const wrong = start({ url: plain.url.replace("ws:", "wss:"), token });
    await wrong.linked("lost");
    expect(wrong.reasons[0]).toContain("does not speak TLS");
    const silent = createTcpServer((socket) => socket.destroy());
    const hung = start({ url: `ws://127.0.0.1:${await listening(silent)}`, token });
    await hung.linked("lost");
    expect(hung.reasons[0]).toContain("the address begins with wss://");
  });
});

describe("a Gateway source with allowInsecure", () => {
  it("connects to a host name over plain ws://", async () => {
    const server = await createHandshakeServer();
    closeAfterTest(server);
    const url = `ws://gateway.example.com:${new URL(server.url).port}`;
    const heard = createHeard();
    const source = gatewaySource({ url, token, allowInsecure: true });
    closeAfterTest(source);
    source.open(heard);
    // The name leads nowhere from here, but it was tried.
    expect(await Promise.race([heard.linked("lost"), heard.linked("refused")])).toMatchObject({ type: "lost" });
    expect(heard.order[0]).toBe("connect");
  });

  it("refuses public IP addresses", async () => {
    for (const [url, allowInsecure] of [
      ["ws://gateway.example.com:1", false],
      ["ws://203.0.113.7:1", true],
    ] as const) {
      const heard = createHeard();
      gatewaySource({ url, token, allowInsecure }).open(heard);
      await heard.linked("refused");
      expect(heard.links).toMatchObject([{ type: "refused", code: "INSECURE_URL" }]);
      expect(heard.reasons[0]).toContain("`--allow-insecure` or OPENCLAW_INBOX_ALLOW_INSECURE=1");
    }
  });
});

describe("a Gateway source and the fake Gateway", () => {
  async function meet(prepare: (gateway: FakeGateway) => void = () => {}) {
    const gateway = await createFakeGateway();
    prepare(gateway);
    const source = gatewaySource({ url: gateway.url, token: gateway.token });
    const heard = createHeard();
    closeAfterTest(source, gateway);
    source.open(heard);
    return { gateway, source, heard };
  }

  it.each(["wrong-token", "missing-token", "pairing", "protocol"] as const)("agree on a refusal: %s", async (kind) => {
    const { heard } = await meet((gateway) => gateway.refuse(kind, 5));
    await heard.linked("refused");
    expect(heard.order).toEqual(["connect", "refused"]);
  });

  it("agree on a start that takes its time", async () => {
    const { heard } = await meet((gateway) => gateway.refuse("starting", 2));
    await heard.linked("hello");
    expect(heard.order).toEqual(["connect", "lost", "connect", "lost", "connect", "hello"]);
  });

  it("agree on a restart", async () => {
    const { gateway, heard } = await meet();
    await heard.linked("hello");
    await gateway.restart();
    await heard.linked("hello", 2);
    gateway.say("Good morning.");
    await gateway.flushed();
    await heard.framed(2);
    expect(heard.reasons).toEqual([`${gateway.url} closed the connection (1012 service restart).`]);
    expect(heard.frames).toContainEqual(expect.objectContaining({ event: "chat" }));
  });
});
