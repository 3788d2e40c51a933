import { once } from "node:events";
import { createServer } from "node:http";
import { createServer as createTcpServer } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { WebSocket } from "ws";
import { createInbox } from "../../src/inbox.ts";
import { gatewaySource } from "../../src/source/gateway/gateway.ts";
import { recordingSource } from "../../src/source/recording/recording.ts";
import { limitRequests, MAX_WAITING_BYTES, MAX_WAITING_REQUESTS } from "../../src/source/request-limit.ts";
import type { Source } from "../../src/source/source.ts";
import { webSocketSource } from "../../src/source/websocket/websocket.ts";
import { recordingPath } from "../../src/testing/recordings.ts";
import { listening } from "../helpers/listening.ts";
import { turn } from "../helpers/turns.ts";
import { accept, createHandshakeServer, helloPayload, refuse, sayHello } from "./handshake-server.ts";
import { createHeard } from "./heard.ts";

const token = "a-token";

/** How many ends of a TCP connection this process holds. */
const sockets = () => process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap").length;

async function none(count: () => number): Promise<void> {
  while (count() > 0) await turn();
}

/** What a Gateway that never lets us in does, and the moment to close in: the link event, or nothing but the socket. */
const moments = {
  "before the socket opens": async () => ({ url: (await createHandshake(() => {})).url, when: "connect" as const }),
  "while a silent port says nothing": async () => {
    const server = createTcpServer();
    return { url: `ws://127.0.0.1:${await listening(server)}`, when: once(server, "connection") };
  },
  "while a slow proxy answers 502": async () => {
    const server = createServer();
    server.on("upgrade", (_request, socket) => {
      socket.on("error", () => {});
      socket.write("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 100\r\n\r\nWait");
    });
    return { url: `ws://127.0.0.1:${await listening(server)}`, when: once(server, "upgrade") };
  },
  "while its sign-in waits for the answer": async () => {
    let asked = () => {};
    const when = new Promise<void>((resolve) => (asked = resolve));
    return { url: (await createHandshake(() => asked())).url, when };
  },
  "in the hello": async () => ({ url: (await createHandshake(sayHello)).url, when: "hello" as const }),
  "while it waits to try again": async () => {
    const server = await createHandshake(sayHello);
    await server.close();
    return { url: server.url, when: "lost" as const };
  },
  "while it waits out a lockout": async () => {
    const error = { code: "INVALID_REQUEST", message: "no", details: { code: "AUTH_RATE_LIMITED" } };
    return { url: (await createHandshake(({ id }, ws) => refuse(id, ws, error))).url, when: "lost" as const };
  },
  "after it was refused": async () => {
    const error = { code: "INVALID_REQUEST", message: "no", details: { code: "AUTH_TOKEN_MISMATCH" } };
    return { url: (await createHandshake(({ id }, ws) => refuse(id, ws, error))).url, when: "refused" as const };
  },
};

async function createHandshake(...answer: Parameters<typeof createHandshakeServer>) {
  const server = await createHandshakeServer(...answer);
  onTestFinished(() => server.close().catch(() => {}));
  return server;
}

describe("a Gateway source", () => {
  it.each(Object.entries(moments))("leaves nothing behind when it is closed twice %s", async (_moment, prepare) => {
    const before = sockets();
    const { url, when } = await prepare();
    const source = gatewaySource({ url, token });
    const heard = createHeard();
    source.open(heard);
    await (typeof when === "string" ? heard.linked(when) : when);
    await Promise.all([source.close(), source.close()]);
    await source.close();
    await none(() => sockets() - before);
    const { length } = heard.order;
    expect(heard.order.filter((type) => type === "ended")).toHaveLength(heard.order.includes("refused") ? 0 : 1);

    const again = createHeard();
    source.open(again);
    await again.linked(again.order.includes("refused") ? "refused" : "connect");
    await source.close();
    await none(() => sockets() - before);
    expect(heard.order).toHaveLength(length);
  });

  it("connects again when it is opened while it closes", async () => {
    const server = await createHandshake(sayHello);
    const source = gatewaySource({ url: server.url, token });
    const first = createHeard();
    source.open(first);
    await first.linked("hello");
    const closing = source.close();
    const second = createHeard();
    source.open(second);
    await second.linked("hello");
    await closing;
    await source.close();
    expect(first.order).toEqual(["connect", "hello", "ended"]);
    expect(second.order).toEqual(["connect", "hello", "ended"]);
  });
});

describe("a source that is closed from within its listener", () => {
  it("removes its listeners from a host's socket", async () => {
    const server = await createHandshake();
    const ws = new WebSocket(server.url);
    onTestFinished(() => ws.terminate());
    await once(ws, "open");
    const listeners = () => ws.eventNames().map((name) => [name, ws.listenerCount(name)]);
    const before = listeners();
    for (const type of ["connect", "hello"]) {
      const source = webSocketSource(ws);
      const heard = createHeard((event) => event.type === type && void source.close());
      source.open(heard);
      expect(heard.order.at(-1)).toBe("ended");
      expect(listeners()).toEqual(before);
    }
  });

  it("has closed the file of its recording", async () => {
    const source = recordingSource(recordingPath("k2-ten-at-once"));
    let closed: Promise<void> | undefined;
    const heard = createHeard((event) => {
      if (event.type === "connect") closed = source.close();
    });
    source.open(heard);
    await heard.linked("connect");
    await closed;
    expect(heard.order).toEqual(["connect", "ended"]);
  });
});

describe("requests under way", () => {
  const overLimit = { code: "ERR_INBOX_REQUEST", details: { overLimit: true, retryable: true } };

  it("are bounded in bytes", async () => {
    let answer = () => {};
    let refused = 0;
    const silence = () => new Promise<void>((resolve) => (answer = resolve));
    const request = limitRequests(silence, { gateway: "default", onOverLimit: () => (refused += 1) });
    const half = { text: "x".repeat(MAX_WAITING_BYTES / 2) };
    const first = request("silence", half);
    await expect(request("silence", half)).rejects.toMatchObject(overLimit);
    expect(refused).toBe(1);
    answer();
    await first;
    const second = request("silence", half);
    answer();
    await second;
  });

  it("are bounded while the host's socket takes nothing", async () => {
    const socket = { readyState: 1, bufferedAmount: MAX_WAITING_BYTES, on() {}, off() {}, send() {} };
    const { request } = webSocketSource(socket, { requests: true }) as Required<Source>;
    await expect(request("silence", {})).rejects.toMatchObject(overLimit);
  });

  it("are counted by the inbox above the limit", async () => {
    const server = await createHandshake();
    const ws = new WebSocket(server.url);
    onTestFinished(() => ws.terminate());
    await once(ws, "open");
    const inbox = createInbox({ source: webSocketSource(ws, { requests: true }), recoveryTimeoutMs: 1 });
    await inbox.start();
    const sent = Array.from({ length: MAX_WAITING_REQUESTS + 1 }, () => inbox.send({ sessionKey: "k", text: "Hello" }));
    await expect(Promise.race(sent)).rejects.toMatchObject(overLimit);
    expect(inbox.stats().requestsOverLimit).toBeGreaterThan(0);
    const ended = Promise.allSettled(sent);
    await inbox.stop();
    await ended;
  });

  it("are bounded in number", async () => {
    const server = await createHandshake(({ id, method }, ws) => {
      if (method === "connect") accept(id, ws, helloPayload);
    });
    const ws = new WebSocket(server.url);
    onTestFinished(() => ws.terminate());
    await once(ws, "open");
    const sources = [gatewaySource({ url: server.url, token }), webSocketSource(ws, { requests: true })];
    for (const source of sources) {
      const heard = createHeard();
      source.open(heard);
      await heard.linked("hello");
      const request = source.request as NonNullable<Source["request"]>;
      const many = Array.from({ length: MAX_WAITING_REQUESTS }, () => request("silence", {}));
      await expect(request("silence", {})).rejects.toMatchObject(overLimit);
      const ended = Promise.allSettled(many);
      await source.close();
      expect((await ended).every(({ status }) => status === "rejected")).toBe(true);
    }
  });
});

describe("a host's own source that throws", () => {
  const broken = new Error("Not today");
  const sources: Record<string, Source> = {
    open: {
      name: "own",
      open() {
        throw broken;
      },
      async close() {},
    },
    close: {
      name: "own",
      open: (listener) => {
        listener.link({ type: "connect" });
        listener.link({ type: "hello" });
      },
      close: () => Promise.reject(broken),
    },
    request: {
      name: "own",
      open: (listener) => {
        listener.link({ type: "connect" });
        listener.link({ type: "hello" });
      },
      async close() {},
      request() {
        throw broken;
      },
    },
  };

  it("in open() has a paused link with the reason", async () => {
    const inbox = createInbox({ source: sources["open"] as Source });
    await inbox.start();
    expect(inbox.links()).toMatchObject([{ state: "paused", reason: "The source could not be opened: Not today." }]);
    expect(inbox.stats().hostErrors).toBe(1);
    await inbox.stop();
  });

  it("in close() is a host error and the inbox stops", async () => {
    const inbox = createInbox({ source: sources["close"] as Source });
    await inbox.start();
    await inbox.stop();
    expect(inbox.stats().hostErrors).toBe(1);
    expect(inbox.links()).toMatchObject([{ state: "offline", ended: true }]);
  });

  it("in request() has a link that goes live", async () => {
    const inbox = createInbox({ source: sources["request"] as Source, recoveryTimeoutMs: 50 });
    await inbox.start();
    expect(inbox.links()).toMatchObject([{ state: "live" }]);
    expect(inbox.stats().recoveryFailed).toBeGreaterThan(0);
    await inbox.stop();
  });
});
