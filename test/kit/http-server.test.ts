import { connect, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { type HttpHandler, type HttpServer, startHttpServer } from "../../src/kit/http-server.ts";
import { ask } from "../helpers/http.ts";
import { turn } from "../helpers/turns.ts";

let server: HttpServer;
let sockets: Socket[] = [];

async function start(handler: HttpHandler): Promise<string> {
  server = await startHttpServer("127.0.0.1", 0, handler);
  return `http://127.0.0.1:${server.port}/`;
}

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  sockets = [];
  await server.close();
});

/** Sends `text` over a socket of its own; resolves with all that came once the other side has ended it. */
function send(text: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(server.port, "127.0.0.1", () => socket.write(text));
    sockets.push(socket);
    let came = "";
    socket.on("data", (data) => {
      came += data.toString("latin1");
    });
    socket.on("error", () => {});
    socket.on("close", () => resolve(came));
  });
}

describe("a small HTTP server", () => {
  it("answers 500 when its handler fails and goes on", async () => {
    const url = await start((request, response) => {
      if (request.url === "/throws") throw new Error("secret");
      if (request.url === "/rejects") return Promise.reject(new Error("secret"));
      if (request.url === "/half") {
        response.writeHead(200).write("half");
        throw new Error("secret");
      }
      response.end("fine");
    });
    for (const name of ["throws", "rejects"])
      expect(await ask(url + name)).toMatchObject({ status: 500, body: "Something went wrong here." });
    await expect(ask(`${url}half`)).rejects.toThrow();
    expect(await ask(url)).toMatchObject({ status: 200, body: "fine" });
    expect(server.counts()).toMatchObject({ refused: 0, failed: 3 });
  });

  it("disconnects a client that asks again before its answer", async () => {
    await start((_request, response) => void setImmediate(() => response.end("x".repeat(10_000))));
    const many = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(20_000);
    const came = await Promise.all(Array.from({ length: 50 }, () => send(many)));
    for (const text of came) expect(text.length).toBeLessThan(20_000);
    expect(server.counts().refused).toBe(50);
  });

  it("answers one request after the other over one connection", async () => {
    await start((_request, response) => void response.end("x".repeat(100_000)));
    const answers = await new Promise<number>((resolve) => {
      const socket = connect(server.port, "127.0.0.1");
      sockets.push(socket);
      let length = 0;
      let asked = 0;
      const next = () => {
        asked += 1;
        if (asked > 20) return resolve(asked - 1);
        length = 0;
        socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
      };
      socket.on("connect", next);
      socket.on("data", (data) => {
        length += data.length;
        if (length > 100_000 && data.toString("latin1").endsWith("x")) next();
      });
    });
    expect([answers, server.counts().refused]).toEqual([20, 0]);
  });

  it("takes 64 connections at once", async () => {
    await start((_request, response) => void response.end());
    const open = Array.from({ length: 100 }, () => {
      const socket = connect(server.port, "127.0.0.1");
      socket.on("error", () => {});
      sockets.push(socket);
      return new Promise<void>((resolve) => socket.on("connect", () => resolve()));
    });
    await Promise.all(open);
    const closed = sockets
      .slice(64)
      .map((socket) => new Promise<void>((resolve) => socket.on("close", () => resolve())));
    await Promise.all(closed);
    expect(server.counts()).toMatchObject({ connections: 64, refused: 36 });
  });

  it("refuses what is no HTTP, large headers and upgrades", async () => {
    await start((_request, response) => void response.end("fine"));
    expect(await send("\u0016\u0003\u0001 hello\r\n\r\n")).toMatch(/^HTTP\/1\.1 400 /);
    expect(await send(`GET / HTTP/1.1\r\nHost: x\r\nX: ${"x".repeat(40_000)}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 431 /);
    expect(await send("CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n")).toBe("");
    expect(await send("GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")).toBe("");
    expect(server.counts()).toMatchObject({ refused: 4, failed: 0 });
  });

  it("rejects a taken port and closes with clients connected", async () => {
    await start(() => {});
    await expect(startHttpServer("127.0.0.1", server.port, () => {})).rejects.toThrow("EADDRINUSE");
    const unanswered = send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    await turn();
    await server.close();
    expect(await unanswered).toBe("");
  });
});
