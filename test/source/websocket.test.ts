import { once } from "node:events";
import { afterEach, describe, expect, it, vi } from "vitest";
import { WebSocket } from "ws";
import { type WebSocketSourceOptions, webSocketSource } from "../../src/source/websocket/websocket.ts";
import {
  type Answerer,
  accept,
  chatFrame,
  createHandshakeServer,
  type HandshakeServer,
  refuse,
} from "./handshake-server.ts";
import { createHeard, type Heard } from "./heard.ts";
import { type AskingSource, expectEndWithSignal } from "./open-source.ts";

const servers: HandshakeServer[] = [];

afterEach(async () => {
  vi.useRealTimers();
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

/** A host's socket to a real server, past the greeting, and what the server holds of it. */
async function connect(answer?: Answerer) {
  const server = await createHandshakeServer(answer);
  servers.push(server);
  const ws = new WebSocket(server.url);
  await once(ws, "message");
  const peer = server.sockets[0] as WebSocket;
  return { server, ws, peer };
}

async function listen(answer?: Answerer, options?: WebSocketSourceOptions) {
  const { ws, peer } = await connect(answer);
  const source = webSocketSource(ws, options) as AskingSource;
  const heard: Heard = createHeard();
  source.open(heard);
  return { ws, peer, source, heard };
}

describe("a source on a host's socket", () => {
  it("is connected at once on an open socket", async () => {
    const { peer, heard } = await listen();
    expect(heard.order).toEqual(["connect", "hello"]);
    peer.send(chatFrame(1));
    peer.send(Buffer.from(chatFrame(2)));
    peer.send("garbage");
    await heard.framed(3);
    expect(heard.frames.map(String)).toEqual([chatFrame(1), chatFrame(2), "garbage"]);
  });

  it.each(["nodebuffer", "arraybuffer", "fragments"] as const)(
    "reads binary messages of the type %s",
    async (binaryType) => {
      const { ws, peer, heard } = await listen();
      ws.binaryType = binaryType;
      peer.send(Buffer.from(chatFrame(1)));
      await heard.framed(1);
      expect(String(heard.frames[0])).toBe(chatFrame(1));
    },
  );

  it("is connected when the socket opens", async () => {
    const server = await createHandshakeServer();
    servers.push(server);
    const source = webSocketSource(new WebSocket(server.url));
    const heard = createHeard();
    source.open(heard);
    expect(heard.order).toEqual(["connect"]);
    await heard.framed(1);
    expect(heard.order).toEqual(["connect", "hello", "frame"]);
  });

  it("ends with the code when the socket closes", async () => {
    const { peer, heard, source } = await listen();
    peer.close(1012, "service restart");
    await heard.linked("ended");
    await source.close();
    expect(heard.order).toEqual(["connect", "hello", "ended"]);
    expect(heard.reasons).toEqual(["The host's socket closed with code 1012."]);
  });

  it("ends at once on a closed socket", async () => {
    const { ws } = await connect();
    ws.terminate();
    await once(ws, "close");
    const heard = createHeard();
    webSocketSource(ws).open(heard);
    expect(heard.order).toEqual(["connect", "ended"]);
  });

  it("ignores an error of the socket", async () => {
    const server = await createHandshakeServer();
    await server.close();
    const source = webSocketSource(new WebSocket(server.url));
    const heard = createHeard();
    source.open(heard);
    await heard.linked("ended");
    expect(heard.reasons[0]).toContain("ECONNREFUSED");
  });

  it("leaves the host's socket open when it is closed", async () => {
    const { ws, peer, source, heard } = await listen();
    const mine: string[] = [];
    ws.on("message", (data) => mine.push(String(data)));
    await source.close();
    peer.send(chatFrame(1));
    await once(ws, "message");
    expect(mine).toEqual([chatFrame(1)]);
    expect(ws.readyState).toBe(WebSocket.OPEN);
    expect(ws.eventNames()).toEqual(["message"]);
    expect(heard.order).toEqual(["connect", "hello", "ended"]);
  });

  it("sends no request unless it may", async () => {
    const { source } = await listen();
    expect(source.request).toBeUndefined();
  });

  it.each([
    [null, {}, "Expected `ws` to be a WebSocket of the `ws` package, got `null`"],
    [{ readyState: 1 }, {}, "Expected `ws` to be a WebSocket of the `ws` package, got a value of type object"],
    [undefined, { name: 5 }, "Expected `name` to be a string that is not empty, got `5` (number)"],
    [undefined, { owner: 5 }, "Expected `owner` to be a string, got `5` (number)"],
    [undefined, { requests: 1 }, "Expected `requests` to be true or false, got `1` (number)"],
  ])("checks its options: %j %j", (ws, options, message) => {
    const socket = ws === undefined ? { readyState: 1, on() {}, off() {}, send() {} } : ws;
    const create = () => webSocketSource(socket as WebSocket, options as unknown as WebSocketSourceOptions);
    expect(create).toThrow(expect.objectContaining({ code: "ERR_INBOX_OPTION", message }));
  });
});

describe("a request over a host's socket", () => {
  const answer: Answerer = ({ id, method, params }, ws) => {
    if (method === "echo") accept(id, ws, params);
    if (method === "bad") refuse(id, ws, { code: "INVALID_REQUEST", message: "no" });
    if (method === "odd") ws.send(JSON.stringify({ type: "res", id, ok: false }));
    if (method === "scoped") refuse(id, ws, { code: "FORBIDDEN", message: "missing scope: operator.write" });
    if (method === "cut") ws.terminate();
  };

  it("resolves with the payload and passes other answers on", async () => {
    const { peer, source, heard } = await listen(answer, { requests: true });
    expect(await source.request("echo", { a: 1 })).toEqual({ a: 1 });
    const hosts = JSON.stringify({ type: "res", id: "mine", ok: true, payload: { text: 'he said "inbox-1"' } });
    peer.send(hosts);
    await heard.framed(1);
    expect(heard.frames.map(String)).toEqual([hosts]);
  });

  it.each([
    ["bad", { code: "ERR_INBOX_REQUEST", details: { gatewayCode: "INVALID_REQUEST" } }],
    ["odd", { code: "ERR_INBOX_REQUEST", details: { gatewayCode: "UNKNOWN" } }],
    ["scoped", { code: "ERR_INBOX_SCOPE", details: { scope: "operator.write" } }],
    ["cut", { code: "ERR_INBOX_NO_LINK" }],
  ])("rejects with this package's errors: %s", async (method, error) => {
    const { source } = await listen(answer, { requests: true });
    await expect(source.request(method, {})).rejects.toMatchObject(error);
  });

  it("rejects on a socket that is not open", async () => {
    const { ws, source } = await listen(answer, { requests: true });
    const asked = source.request("silence", {});
    await source.close();
    await expect(asked).rejects.toMatchObject({ code: "ERR_INBOX_NO_LINK" });
    ws.terminate();
    await expect(source.request("echo", {})).rejects.toMatchObject({ code: "ERR_INBOX_NO_LINK" });
  });

  it("rejects after 30 s without an answer", async () => {
    const { peer, source, heard } = await listen(answer, { requests: true });
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const received = once(peer, "message");
    const asked = source.request("silence", {}).catch((error: unknown) => error);
    vi.advanceTimersByTime(30_000);
    expect(await asked).toMatchObject({ code: "ERR_INBOX_REQUEST", details: { timeoutMs: 30_000 } });
    const { id } = JSON.parse(String((await received)[0])) as { id: string };
    accept(id, peer, {});
    peer.send(chatFrame(1));
    await heard.framed(1);
    expect(heard.frames.map(String)).toEqual([chatFrame(1)]);
  });

  it("ends at once when its signal is aborted", async () => {
    const { source } = await listen(answer, { requests: true });
    await expectEndWithSignal(source);
  });

  it("rejects what cannot be sent", async () => {
    const { source } = await listen(answer, { requests: true });
    await expect(source.request("echo", { n: 1n })).rejects.toMatchObject({ code: "ERR_INBOX_REQUEST" });
  });
});
