import { connect } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type HealthServer, serveHealth } from "../../src/cli/serve.ts";
import { createInbox, type Inbox } from "../../src/index.ts";
import {
  createInspector,
  createStatelyInspector,
  type Inspector,
  type StatelyInspector,
} from "../../src/inspector/index.ts";
import { ask } from "../helpers/http.ts";

/** How many requests are sent in all. CI sends 100,000. */
const REQUESTS = Number(process.env["FUZZ_REQUESTS"] ?? 20_000);
const SEED = Number(process.env["FUZZ_SEED"] ?? Date.now() % 1_000_000);
/** Requests of one socket, and sockets at once. */
const PER_SOCKET = 10;
const SOCKETS = 12;

let inbox: Inbox;
let inspector: Inspector;
let stately: StatelyInspector;
let health: HealthServer;

beforeAll(async () => {
  stately = await createStatelyInspector();
  inbox = createInbox({ inspect: stately.inspect });
  inspector = await createInspector(inbox, { allowActions: true });
  health = await serveHealth(inbox, { host: "127.0.0.1", port: 0 });
  inbox.handle({ runId: "__proto__", sessionKey: "constructor", seq: 1, state: "delta", deltaText: "x" });
  inbox.handle({ runId: "r", sessionKey: "s", seq: 1, state: "toString", deltaText: "x" });
});

afterAll(async () => {
  await inspector.close();
  await stately.close();
  await health[Symbol.asyncDispose]();
  await inbox.stop();
});

/** Numbers from a seed (mulberry32). */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const names =
  "__proto__ constructor toString hasOwnProperty isPrototypeOf valueOf __defineGetter__ prototype metrics updates events run runs dead redeliver main.js index.html stately.js .. . %00 %2e%2e %5f%5fproto%5f%5f %c0%af %ff a/b //evil.example \\ ; ? # run?number=1 run?number=-1 run?number=1e309 run?number=__proto__ dead?after=x dead?after=__proto__ runs?q=%ff&outcome=constructor&origin=toString redeliver?id=__proto__".split(
    " ",
  );
const methods = "GET GET GET GET HEAD POST PUT DELETE OPTIONS PATCH TRACE CONNECT PROPFIND M-SEARCH BREW get".split(
  " ",
);
const hosts = [
  "",
  "127.0.0.1",
  "localhost",
  "[::1]",
  "evil.example",
  "__proto__",
  "localhost:99999999",
  "a".repeat(300),
];

function requestsFrom(seed: number, token: string): readonly string[] {
  const random = randomFrom(seed);
  const pick = <T>(list: readonly T[]) => list[random(list.length)] as T;
  const noise = (length: number) =>
    Array.from({ length: random(length) }, () =>
      String.fromCharCode(random(20) === 0 ? random(256) : 33 + random(94)),
    ).join("");
  const targets = [
    () => `/${token}/${pick(names)}`,
    () => `/${token}/${pick(names)}/${pick(names)}`,
    () => `/${pick(names)}`,
    () => `/${token}`,
    () => `/${token}?${pick(names)}`,
    () => `http://127.0.0.1/${token}/${pick(names)}`,
    () => "*",
    () => noise(60),
    () => `/${noise(2_000)}`,
    () => `/${"a/".repeat(random(4_000))}`,
  ];
  const headers = [
    () => `Host: ${pick(hosts)}`,
    () => "Host: 127.0.0.1",
    () => `Origin: ${pick(["null", "http://127.0.0.1", "https://evil.example", noise(20)])}`,
    () => `Sec-Fetch-Site: ${pick(["same-origin", "cross-site", "none", "__proto__"])}`,
    () => `X-Inspector-Action: ${noise(40)}`,
    () => `${noise(10)}: ${noise(40)}`,
    () => `__proto__: ${noise(5)}`,
    () => "Connection: Upgrade\r\nUpgrade: websocket",
    () => `Content-Length: ${pick(["0", "5", "-1", "99999999999999999999", "x"])}`,
    () => "Transfer-Encoding: chunked",
    () => `Expect: ${pick(["100-continue", "x"])}`,
    () => `X-Long: ${"x".repeat(random(20_000))}`,
    () => "X: y\r\n".repeat(random(150)),
  ];
  const one = () => {
    const lines = Array.from({ length: random(5) }, () => pick(headers)());
    const host = random(3) === 0 ? [] : ["Host: 127.0.0.1"];
    return `${pick(methods)} ${pick(targets)()} HTTP/${pick(["1.1", "1.1", "1.0", "2.0", "x"])}\r\n${[...host, ...lines, "", ""].join("\r\n")}`;
  };
  return Array.from({ length: PER_SOCKET }, one);
}

/** How often each status came. */
const statuses = new Map<string, number>();

/** Sends requests over one socket, each when the one before was answered, or all at once. Resolves with those left when the socket closed. */
function send(port: number, requests: readonly string[], isPipelined: boolean): Promise<readonly string[]> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1" });
    let sent = 0;
    const next = () => {
      const request = isPipelined ? requests.join("") : requests[sent];
      sent += isPipelined ? requests.length : 1;
      if (request === undefined) return void socket.destroy();
      socket.write(request, "latin1");
    };
    socket.on("connect", next);
    socket.on("data", (data) => {
      const status = /^HTTP\/1\.1 (\d+)/.exec(data.toString("latin1"))?.[1];
      if (status !== undefined) statuses.set(status, (statuses.get(status) ?? 0) + 1);
      // What is pipelined is not read on: the server must not wait for it.
      if (isPipelined) socket.destroy();
      else if (status !== undefined && status !== "100") next();
    });
    socket.setTimeout(500, () => socket.destroy());
    socket.on("error", () => {});
    socket.on("close", () => resolve(requests.slice(Math.max(1, sent))));
  });
}

it(`survives ${REQUESTS} random requests at every server (seed ${SEED})`, { timeout: 300_000 }, async () => {
  console.log(`fuzz: FUZZ_SEED=${SEED} FUZZ_REQUESTS=${REQUESTS}`);
  const complaints: unknown[] = [];
  const complain = (error: unknown) => complaints.push(error);
  process.on("uncaughtException", complain).on("unhandledRejection", complain);
  const servers = [inspector, stately, health].map(({ url }) => ({
    port: Number(new URL(url).port),
    token: new URL(url).pathname.split("/")[1] ?? "",
  }));
  let next = 0;
  const client = async () => {
    while (next < REQUESTS / PER_SOCKET) {
      const seed = SEED * 1_000_003 + next;
      next += 1;
      const { port, token } = servers[next % 3] as (typeof servers)[number];
      for (let left = requestsFrom(seed, token); left.length > 0; ) left = await send(port, left, next % 5 === 0);
    }
  };
  await Promise.all(Array.from({ length: SOCKETS }, client));
  for (const { url } of [inspector, stately]) expect((await ask(url)).status).toBe(200);
  for (const url of [inspector.metricsUrl, `${health.url}/metrics`]) expect((await ask(url)).status).toBe(200);
  expect(inspector.stats()).toMatchObject({ failed: 0 });
  // Requests of every kind came through.
  for (const status of ["200", "308", "400", "403", "404", "405", "431"])
    expect(statuses.get(status)).toBeGreaterThan(0);
  await expect.poll(() => inspector.stats()).toMatchObject({ pages: 0, connections: 0 });
  process.off("uncaughtException", complain).off("unhandledRejection", complain);
  expect(complaints).toEqual([]);
});
