import { spawnSync } from "node:child_process";
import { createServer, type RequestListener, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { firstValueFrom, type Subscription } from "rxjs";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createInbox, type Inbox, isInboxError, PermanentError } from "../../src/index.ts";
import {
  createInspector,
  type Inspector,
  type InspectorOptions,
  type MountableInspector,
} from "../../src/inspector/index.ts";
import type { MountOptions } from "../../src/inspector/inspector.ts";
import type { DeadPage, Update } from "../../src/inspector/wire.ts";
import { createTestClock } from "../../src/testing/clock.ts";
import { ask, openEventStream } from "../helpers/http.ts";
import { turn } from "../helpers/turns.ts";

let inbox: Inbox;
let inspector: Inspector;

beforeEach(async () => {
  inbox = createInbox();
  inspector = await createInspector(inbox);
});

afterEach(async () => {
  await inspector.close();
  await inbox.stop();
});

const host = () => `127.0.0.1:${inspector.port}`;

describe("access to the inspector", () => {
  it("is given to whoever knows the printed address", async () => {
    expect(inspector.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/[\w-]{32}\/$/);
    expect(await ask(inspector.url)).toMatchObject({ status: 200, headers: { "content-type": /^text\/html/ } });
    const withoutSlash = await ask(inspector.url.slice(0, -1));
    expect(withoutSlash.headers.location).toBe(new URL(inspector.url).pathname);
  });

  it("is refused for a wrong token and tells nothing", async () => {
    const wrong = `http://${host()}/${"x".repeat(32)}`;
    for (const path of ["/", "", "/updates", "/run?number=1", "/main.js"])
      expect(await ask(wrong + path)).toMatchObject({ status: 404, body: "Nothing here." });
    expect(await ask(`http://${host()}/`)).toMatchObject({ status: 404, body: "Nothing here." });
  });

  it("is refused to pages of another origin and other host names", async () => {
    const from = (headers: Record<string, string>) => ask(`${inspector.url}updates`, { headers });
    expect(await from({ Origin: "https://example.com" })).toMatchObject({ status: 403 });
    expect(await from({ Origin: `http://127.0.0.1:${inspector.port + 1}` })).toMatchObject({ status: 403 });
    expect(await from({ Origin: "null" })).toMatchObject({ status: 403 });
    for (const name of ["rebound.example.com", "127.0.0.1.example.com", "localhost.example.com:80", "10.0.0.1"])
      expect(await from({ Host: name })).toMatchObject({ status: 403 });
    for (const name of [host(), `localhost:${inspector.port}`, "[::1]:9000"])
      expect(await ask(inspector.url, { headers: { Host: name, Origin: `http://${name}` } })).toMatchObject({
        status: 200,
      });
  });

  it("allows only reads", async () => {
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
      expect(await ask(inspector.url, { method })).toMatchObject({ status: 405 });
    expect(await ask(inspector.url, { method: "HEAD" })).toMatchObject({ status: 200, body: "" });
  });

  it("comes with headers that isolate the page", async () => {
    for (const url of [inspector.url, `${inspector.url}main.js`, inspector.metricsUrl, `http://${host()}/no`]) {
      const { headers } = await ask(url);
      expect(headers["access-control-allow-origin"]).toBeUndefined();
      expect(headers).toMatchObject({
        "cache-control": "no-store",
        "content-security-policy": expect.stringMatching(/^default-src 'none'; script-src 'self'; style-src 'self';/),
        "cross-origin-resource-policy": "same-origin",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
      });
    }
  });

  it("is limited to the page's files", async () => {
    expect(await ask(`${inspector.url}style.css`)).toMatchObject({ status: 200 });
    for (const path of ["../inspector.ts", "..%2finspector.ts", "tsconfig.json", "stately.html", "a/main.js", "%"])
      expect(await ask(inspector.url + path)).toMatchObject({ status: 404 });
    expect(await ask(`http://${host()}`, { method: "GET" })).toMatchObject({ status: 404 });
  });

  it("is refused for names that every object has", async () => {
    for (const name of ["__proto__", "constructor", "toString", "hasOwnProperty", "isPrototypeOf", "valueOf"]) {
      for (const url of [`http://${host()}/${name}`, inspector.url + name, `${inspector.url}run?number=${name}`])
        expect(await ask(url)).toMatchObject({ status: 404, body: "Nothing here." });
    }
    expect(inspector.stats()).toMatchObject({ refused: 0, failed: 0 });
  });

  it("is open for the counters without a token", async () => {
    inbox.handle({ runId: "secret-run", sessionKey: "secret:session", state: "delta", deltaText: "secret" });
    const { status, headers, body } = await ask(inspector.metricsUrl);
    expect(status).toBe(200);
    expect(headers["content-type"]).toBe("text/plain; version=0.0.4; charset=utf-8");
    expect(body).toContain("\nopenclaw_inbox_live_runs 1\n");
    expect(body).not.toContain("secret");
    expect(await ask(inspector.metricsUrl, { headers: { Host: "rebound.example.com" } })).toMatchObject({
      status: 403,
    });
  });
});

describe("the updates of a page", () => {
  it("begin with the first page and end 30 s after the last", async () => {
    await inspector.close();
    const clock = createTestClock(1_000);
    const subscribe = vi.spyOn(inbox.activity$, "subscribe");
    const observed = () => subscribe.mock.results.some(({ value }) => !(value as Subscription).closed);
    inspector = await createInspector(inbox, { clock });
    expect([inspector.watching, observed()]).toEqual([false, false]);
    const stream = await openEventStream(`${inspector.url}updates`);
    await stream.next();
    expect([inspector.watching, observed()]).toEqual([true, true]);
    stream.close();
    // Until the server has noticed.
    while (!(await hasNoPage(clock))) await turn();
    expect([inspector.watching, observed(), clock.pending]).toEqual([false, false, 0]);
  });

  async function hasNoPage(clock: ReturnType<typeof createTestClock>): Promise<boolean> {
    clock.advance(30_000);
    await turn();
    return !inspector.watching;
  }

  it("come ten times a second at most and only with changes", async () => {
    await inspector.close();
    const clock = createTestClock(1_000);
    await inbox.stop();
    inbox = createInbox({ clock });
    inspector = await createInspector(inbox, { clock });
    const stream = await openEventStream(`${inspector.url}updates`);
    const next = async () => (await stream.next()) as Update;
    expect(await next()).toMatchObject({ live: { total: 0 }, settled: { total: 0 } });
    for (let seq = 1; seq <= 500; seq += 1) {
      inbox.handle({ runId: "r", sessionKey: "s", seq, state: "delta", deltaText: "x" });
      clock.advance(1);
    }
    const chars: number[] = [];
    for (let update = 0; update < 5; update += 1) chars.push((await next()).live?.rows[0]?.chars ?? 0);
    expect(chars).toEqual([100, 200, 300, 400, 500]);
    inbox.handle({ runId: "r", sessionKey: "s", seq: 501, state: "aborted" });
    clock.advance(100);
    const last = await next();
    expect(last.settled?.rows).toMatchObject([{ runId: "r", status: "aborted" }]);
    expect(last.taken.run).toEqual({ "buffering:aborted:aborted": 1 });
    clock.advance(1_000);
    expect((await next()).settled).toBeUndefined();
    stream.close();
  });

  it("answer for one run", async () => {
    inbox.handle({ runId: "r", sessionKey: "s", seq: 1, state: "delta", deltaText: "x" });
    const stream = await openEventStream(`${inspector.url}updates`);
    expect(((await stream.next()) as Update).live?.rows).toMatchObject([{ number: 1, runId: "r" }]);
    const { status, body } = await ask(`${inspector.url}run?number=1`);
    expect([status, JSON.parse(body)]).toMatchObject([200, { run: { runId: "r" }, entries: [{}], dropped: 0 }]);
    for (const id of ["2", "", "x", "-1", "1.5"])
      expect(await ask(`${inspector.url}run?number=${id}`)).toMatchObject({ status: 404 });
    stream.close();
  });

  it("have room for 16 pages", async () => {
    const streams = await Promise.all(Array.from({ length: 16 }, () => openEventStream(`${inspector.url}updates`)));
    expect(await ask(`${inspector.url}updates`)).toMatchObject({ status: 503 });
    for (const stream of streams) stream.close();
  });
});

describe("a page that reads nothing", () => {
  it("is sent some hundred kilobytes at most and closed after 30 s", async () => {
    await inspector.close();
    await inbox.stop();
    const clock = createTestClock(1_000);
    inbox = createInbox({ clock });
    inspector = await createInspector(inbox, { clock });
    const { port, pathname } = new URL(inspector.url);
    const socket = connect(Number(port), "127.0.0.1").pause();
    socket.write(`GET ${pathname}updates HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    while (inspector.stats().pages === 0) await turn();
    const before = process.memoryUsage().external;
    for (let run = 0; inspector.stats().dropped === 0; run += 1) {
      for (let more = 0; more < 50; more += 1)
        inbox.handle({
          runId: `${run} ${more} ${"r".repeat(900)}`,
          sessionKey: "s".repeat(900),
          seq: 1,
          state: "delta",
        });
      clock.advance(1_000);
      await turn();
    }
    expect(inspector.stats().skipped).toBeGreaterThan(5);
    expect(process.memoryUsage().external - before).toBeLessThan(20_000_000);
    while (inspector.stats().pages > 0) await turn();
    socket.destroy();
  });
});

describe("in a host's own server", () => {
  let server: Server | undefined;

  afterEach(() => {
    server?.closeAllConnections();
    server?.close();
  });

  async function serve(options: Partial<MountOptions>, answer: (mounted: MountableInspector) => RequestListener) {
    await inspector.close();
    const mounted = await createInspector(inbox, { port: false, ...options });
    server = createServer(answer(mounted));
    await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
    return { mounted, base: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
  }

  it("answers beneath its path behind the host's authentication", async () => {
    const { base, mounted } = await serve({ path: "/admin/inbox" }, ({ handler }) => (request, response) => {
      if (request.headers.authorization !== "let me in") return void response.writeHead(401).end();
      void handler(request, response);
    });
    const headers = { authorization: "let me in" };
    expect(await ask(`${base}/admin/inbox/`)).toMatchObject({ status: 401 });
    expect(await ask(`${base}/admin/inbox`, { headers })).toMatchObject({
      status: 308,
      headers: { location: "./inbox/" },
    });
    expect(await ask(`${base}/admin/inbox/`, { headers })).toMatchObject({ status: 200 });
    expect(await ask(`${base}/admin/inbox/main.js`, { headers })).toMatchObject({ status: 200 });
    expect((await ask(`${base}/admin/inbox/metrics`, { headers })).body).toContain("openclaw_inbox_frames_total 0");
    for (const name of ["__proto__", "constructor", "a/b", "..", "main.js/"])
      expect(await ask(`${base}/admin/inbox/${name}`, { headers })).toMatchObject({ status: 404 });
    await mounted.close();
  });

  it("answers where the path was removed and redirects to the slash", async () => {
    const { base, mounted } = await serve({}, ({ handler }) => (request, response) => {
      const { url = "" } = request;
      Object.assign(request, { originalUrl: url, url: url.replace(/^\/inbox/, "") || "/" });
      void handler(request, response);
    });
    expect(await ask(`${base}/inbox`)).toMatchObject({ status: 308, headers: { location: "./inbox/" } });
    expect(await ask(`${base}/inbox/`)).toMatchObject({ status: 200 });
    expect(await ask(`${base}/inbox/style.css`)).toMatchObject({ status: 200 });
    await mounted.close();
  });

  it("refuses requests from other sites, whatever its host name", async () => {
    const { base, mounted } = await serve({}, ({ handler }) => handler);
    expect(await ask(`${base}/`, { headers: { Host: "intranet.example" } })).toMatchObject({ status: 200 });
    expect(await ask(`${base}/updates`, { headers: { "Sec-Fetch-Site": "cross-site" } })).toMatchObject({
      status: 403,
    });
    const followed = { "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate" };
    expect(await ask(`${base}/`, { headers: followed })).toMatchObject({ status: 200 });
    await mounted.close();
  });

  it("opens no port and has no address", async () => {
    const { mounted } = await serve({}, ({ handler }) => handler);
    expect(mounted).not.toHaveProperty("url");
    expect(mounted.stats()).toMatchObject({ connections: 0, pages: 0 });
    await mounted.close();
  });
});

describe("a dead letter", () => {
  let fails = true;

  async function die(options: InspectorOptions): Promise<string> {
    await inspector.close();
    await inbox.stop();
    fails = true;
    const deliver = () => {
      if (fails) throw new PermanentError("No such room");
    };
    inbox = createInbox({ deliver });
    inspector = await createInspector(inbox, options);
    const died = firstValueFrom(inbox.deliveries$);
    inbox.handle({ runId: "r", sessionKey: "s", seq: 1, state: "final", message: { content: "Hello" } });
    await died;
    const { body } = await ask(`${inspector.url}dead`);
    const { rows, hasMore } = JSON.parse(body) as DeadPage;
    expect([rows, hasMore]).toMatchObject([[{ runId: "r", error: "No such room", attempts: 1, chars: 5 }], false]);
    return rows[0]?.id ?? "";
  }

  /** The secret that a page is told. */
  async function actionOf(): Promise<string | undefined> {
    const stream = await openEventStream(`${inspector.url}updates`);
    const { action } = (await stream.next()) as Update;
    stream.close();
    return action;
  }

  it("is delivered again at our own page's word only", async () => {
    const id = await die({ allowActions: true });
    const action = (await actionOf()) ?? "";
    const own = { Origin: `http://${host()}`, "Sec-Fetch-Site": "same-origin", "X-Inspector-Action": action };
    const post = (headers: Record<string, string>, name = id, method = "POST") =>
      ask(`${inspector.url}redeliver?id=${name}`, { method, headers });
    fails = false;
    expect(await post(own, id, "GET")).toMatchObject({ status: 405 });
    expect(await post({})).toMatchObject({ status: 403 });
    expect(await post({ ...own, "X-Inspector-Action": "x".repeat(32) })).toMatchObject({ status: 403 });
    expect(await post({ ...own, Origin: "https://evil.example" })).toMatchObject({ status: 403 });
    expect(await post({ ...own, Origin: "null" })).toMatchObject({ status: 403 });
    expect(await post({ ...own, Host: "rebound.example", Origin: "http://rebound.example" })).toMatchObject({
      status: 403,
    });
    for (const site of ["cross-site", "same-site", "none"])
      expect(await post({ ...own, "Sec-Fetch-Site": site })).toMatchObject({ status: 403 });
    const { Origin: _, ...withoutOrigin } = own;
    expect(await post(withoutOrigin)).toMatchObject({ status: 403 });
    expect(inbox.stats()).toMatchObject({ dead: 1, delivered: 0 });
    expect(await post(own, "msg_unknown")).toMatchObject({ status: 404 });
    const delivered = firstValueFrom(inbox.deliveries$);
    expect(await post(own)).toMatchObject({ status: 200 });
    expect(await delivered).toMatchObject({ status: "delivered", message: { id } });
    expect(await post(own)).toMatchObject({ status: 404 });
  });

  it("is read only by default", async () => {
    const id = await die({});
    expect(await actionOf()).toBeUndefined();
    const headers = { Origin: `http://${host()}`, "Sec-Fetch-Site": "same-origin", "X-Inspector-Action": "undefined" };
    const answer = await ask(`${inspector.url}redeliver?id=${id}`, { method: "POST", headers });
    expect(answer).toMatchObject({ status: 403, body: "This page may only show: `allowActions` is not set." });
    expect(inbox.stats().delivered).toBe(0);
  });
});

describe("createInspector", () => {
  const refused = async (options: object): Promise<unknown> =>
    createInspector(inbox, options as InspectorOptions).then(
      () => "accepted",
      (error) => isInboxError(error, "ERR_INBOX_OPTION") && error.message,
    );

  it("refuses wrong options without quoting a token", async () => {
    expect(await refused({ port: 70_000 })).toBe(
      "Expected `port` to be an integer from 0 to 65535, got `70000` (number)",
    );
    expect(await refused({ showText: 1 })).toBe("Expected `showText` to be a boolean, got `1` (number)");
    expect(await refused({ hostname: "0.0.0.0" })).toContain("got `hostname`");
    expect(await refused({ token: "too-short-secret!" })).toContain("`token`");
    expect(await refused({ token: "too-short-secret!" })).not.toContain("secret!");
  });

  it("says that the port cannot be used", async () => {
    expect(await refused({ port: inspector.port })).toBe(
      `Cannot listen on port ${inspector.port} of 127.0.0.1: EADDRINUSE`,
    );
  });

  it("keeps its address over restarts with a given token", async () => {
    const token = "a-token-of-our-own";
    const first = await createInspector(inbox, { token });
    const { port, url } = first;
    await first.close();
    await using second = await createInspector(inbox, { token, port });
    expect(second.url).toBe(url);
  });

  it("ends its pages when it is closed once or twice", async () => {
    await openEventStream(`${inspector.url}updates`);
    await Promise.all([inspector.close(), inspector.close()]);
    await expect(ask(inspector.url)).rejects.toThrow("ECONNREFUSED");
    expect(inspector.watching).toBe(false);
  });

  it("keeps no process alive, even with a page open", () => {
    const program = `
      import { request } from "node:http";
      import { createInbox } from "./src/index.ts";
      import { createInspector } from "./src/inspector/index.ts";
      const { url } = await createInspector(createInbox());
      const asked = request(url + "updates", (response) => {
        response.socket.unref();
        response.once("data", () => console.log("watched"));
      }).end();
    `;
    const { stdout, status } = spawnSync(process.execPath, ["--import", "tsx", "--input-type=module", "-e", program], {
      cwd: new URL("../..", import.meta.url),
      encoding: "utf8",
      timeout: 60_000,
    });
    expect([stdout.trim(), status]).toEqual(["watched", 0]);
  });
});
