import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import {
  accept,
  createHandshakeServer,
  type HandshakeServer,
  helloPayload,
  lockOutOnce,
  refuse,
} from "./handshake-server.ts";

const script = fileURLToPath(new URL("./child.ts", import.meta.url));
const children: ChildProcessByStdio<null, Readable, null>[] = [];
const servers: HandshakeServer[] = [];

afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

async function serve(...answer: Parameters<typeof createHandshakeServer>): Promise<HandshakeServer> {
  const server = await createHandshakeServer(...answer);
  servers.push(server);
  return server;
}

/** Starts a listening process: its lines, and how it ends. */
function listenInChild(...args: string[]) {
  const child = spawn(process.execPath, ["--import", "tsx", script, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  const lines: string[] = [];
  const reader = createInterface(child.stdout);
  reader.on("line", (line) => lines.push(line));
  const ended = once(child, "close").then(([code]) => ({ code: code as unknown, lines }));
  /** Resolves true when the process has printed so many lines, false when it ended first. */
  const printed = (count: number) =>
    Promise.race([
      ended.then(() => false),
      new Promise<boolean>((resolve) => reader.on("line", () => lines.length >= count && resolve(true))),
    ]);
  return { ended, lines, printed };
}

describe("a process that listens to a Gateway", () => {
  it("ends after a close while connected", async () => {
    const server = await serve();
    expect(await listenInChild(server.url, "hello").ended).toEqual({
      code: 0,
      lines: ["connect", "hello", "ended", "closed"],
    });
  });

  it("ends after a close while it connects", async () => {
    const server = await serve();
    expect(await listenInChild(server.url, "connect").ended).toEqual({
      code: 0,
      lines: ["connect", "ended", "closed"],
    });
  });

  it("ends after a close while it waits to reconnect", async () => {
    const server = await serve();
    await server.close();
    expect(await listenInChild(server.url, "lost").ended).toEqual({
      code: 0,
      lines: ["connect", "lost", "ended", "closed"],
    });
  });

  it("ends after a close that the Gateway ignores", async () => {
    const server = await serve(({ id, method }, ws) => {
      if (method === "connect") accept(id, ws, helloPayload);
      ws.pause();
    });
    expect(await listenInChild(server.url, "hello").ended).toEqual({
      code: 0,
      lines: ["connect", "hello", "ended", "closed"],
    });
  });

  it("ends when it is refused", async () => {
    const server = await serve(({ id }, ws) =>
      refuse(id, ws, { code: "INVALID_REQUEST", message: "no", details: { code: "AUTH_TOKEN_NOT_CONFIGURED" } }),
    );
    expect(await listenInChild(server.url).ended).toEqual({ code: 0, lines: ["connect", "refused"] });
  });

  it("stays alive while the source reconnects", async () => {
    const server = await serve();
    await server.close();
    const { printed, lines } = listenInChild(server.url);
    expect(await printed(4)).toBe(true);
    expect(lines.slice(0, 4)).toEqual(["connect", "lost", "connect", "lost"]);
  });

  it("stays alive during a lockout", async () => {
    const server = await serve(lockOutOnce(1_000));
    const { printed, lines } = listenInChild(server.url);
    expect(await printed(4)).toBe(true);
    expect(lines).toEqual(["connect", "lost", "connect", "hello"]);
  });
});
