import { once } from "node:events";
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { inspect } from "node:util";
import { Webhook } from "standardwebhooks";
import { afterEach, describe, expect, it } from "vitest";
import { MAX_RETRY_AFTER_MS, parseRetryAfter, retryAfterMs } from "../../src/delivery/retry-after.ts";
import { type WebhookOptions, webhook } from "../../src/delivery/webhook/webhook.ts";
import { InboxError, isInboxError, optionError, PermanentError } from "../../src/errors.ts";
import { createTestClock } from "../../src/testing/clock.ts";
import { messageOf } from "../helpers/message.ts";

const SECRET = `whsec_${Buffer.from("a secret of thirty-two bytes....").toString("base64")}`;
const OTHER_SECRET = `whsec_${Buffer.alloc(24, 7).toString("base64")}`;
const TEXT = "The report is ready: 買い物 🛒\n\u0001\ud800";

const MESSAGE = messageOf("Zk3_q-9dTb0x5rYw1LhVnA8uSgEoIcKjMpQf", { text: TEXT, completedAt: 1_763_800_012_345 });

interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly path: string | undefined;
  readonly method: string | undefined;
}

const servers: Server[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  }
});

/** A real HTTP server on a free port; `received` grows by one with each whole request, before it is answered. */
async function startReceiver(answer: (response: ServerResponse, request: IncomingMessage, nth: number) => void) {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      received.push({
        headers: request.headers,
        body: Buffer.concat(chunks),
        path: request.url,
        method: request.method,
      });
      answer(response, request, received.length);
      server.emit("answered");
    });
  });
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    received,
    server,
    host: `127.0.0.1:${port}`,
    url: `http://127.0.0.1:${port}/hooks/path-token?key=query-token`,
  };
}

function status(code: number, headers: Record<string, string> = {}) {
  return (response: ServerResponse) => response.writeHead(code, headers).end("the body of the answer");
}

function deliverTo(url: string, options: Partial<WebhookOptions> = {}, signal = new AbortController().signal) {
  const deliver = webhook({ url, secret: SECRET, ...options });
  return async (message = MESSAGE, attempt = 1) => deliver(message, { attempt, signal });
}

async function failure(promise: Promise<unknown>): Promise<InboxError> {
  const error = await promise.then(
    () => expect.unreachable("the delivery should have failed"),
    (reason: unknown) => reason,
  );
  expect(isInboxError(error)).toBe(true);
  // Whoever logs the error, with its causes and details, must not log a secret or a text.
  const shown = inspect(error, { depth: Infinity, showHidden: true });
  for (const hidden of [
    "The report",
    SECRET.slice(6),
    "path-token",
    "query-token",
    "header-token",
    "the body of the answer",
  ]) {
    expect(shown).not.toContain(hidden);
  }
  return error as InboxError;
}

describe("webhook", () => {
  it("posts the message as JSON signed for Standard Webhooks", async () => {
    const { received, url } = await startReceiver(status(204));
    await deliverTo(url, { headers: { authorization: "Bearer header-token" } })();

    const [request] = received;
    expect(request?.method).toBe("POST");
    expect(request?.path).toBe("/hooks/path-token?key=query-token");
    expect(request?.headers["content-type"]).toBe("application/json");
    expect(request?.headers["user-agent"]).toBe("openclaw-inbox");
    expect(request?.headers.authorization).toBe("Bearer header-token");
    expect(request?.headers["webhook-id"]).toBe(MESSAGE.id);
    const verified = new Webhook(SECRET).verify(request?.body as Buffer, request?.headers as Record<string, string>);
    const data = { ...MESSAGE, text: "The report is ready: 買い物 🛒\n\u0001\ufffd" };
    expect(verified).toEqual({ type: "openclaw.message", timestamp: "2025-11-22T08:26:52.345Z", data });
  });

  it("keeps id and body at every attempt and signs each anew", async () => {
    const clock = createTestClock(Date.now());
    const { received, url } = await startReceiver((response, _request, nth) => status(nth === 1 ? 503 : 200)(response));
    const deliver = deliverTo(url, { clock });
    const start = Math.floor(clock.now() / 1000);
    await failure(deliver(MESSAGE, 1));
    clock.advance(120_000);
    await deliver(MESSAGE, 2);

    const [first, second] = received;
    expect(second?.headers["webhook-id"]).toBe(first?.headers["webhook-id"]);
    expect(second?.body.equals(first?.body as Buffer)).toBe(true);
    expect(Number(first?.headers["webhook-timestamp"])).toBe(start);
    expect(Number(second?.headers["webhook-timestamp"])).toBe(start + 120);
    expect(second?.headers["webhook-signature"]).not.toBe(first?.headers["webhook-signature"]);
    new Webhook(SECRET).verify(second?.body as Buffer, second?.headers as Record<string, string>);
  });

  it("signs with each of two secrets", async () => {
    const { received, url } = await startReceiver(status(200));
    await deliverTo(url, { secret: [SECRET, OTHER_SECRET] })();
    const [request] = received;
    for (const secret of [SECRET, OTHER_SECRET]) {
      new Webhook(secret).verify(request?.body as Buffer, request?.headers as Record<string, string>);
    }
    const stranger = new Webhook(`whsec_${Buffer.alloc(24, 9).toString("base64")}`);
    expect(() => stranger.verify(request?.body as Buffer, request?.headers as Record<string, string>)).toThrow();
  });

  it.each([200, 201, 202, 204, 299])("is done at %i", async (code) => {
    const { received, url } = await startReceiver(status(code));
    await deliverTo(url)();
    expect(received).toHaveLength(1);
  });

  it.each([400, 410, 413, 415, 422])("gives up at %i", async (code) => {
    const { host, url } = await startReceiver(status(code, { "retry-after": "1" }));
    const error = await failure(deliverTo(url)());
    expect(error).toBeInstanceOf(PermanentError);
    expect(error.message).toContain(`${host} answered ${code}`);
    expect(error.details).toEqual({ host, status: code });
    expect(retryAfterMs(error)).toBeUndefined();
  });

  it.each([401, 402, 403, 404, 405, 406, 408, 409, 418, 425, 429, 451, 500, 501, 502, 503, 504, 599])(
    "retries a %i",
    async (code) => {
      const { host, url } = await startReceiver(status(code));
      const error = await failure(deliverTo(url)());
      expect(error.code).toBe("ERR_INBOX_DELIVERY");
      expect(error.message).toBe(`The webhook at ${host} answered ${code}`);
      expect(retryAfterMs(error)).toBeUndefined();
    },
  );

  it.each([301, 302, 303, 307, 308])("follows no redirect (%i) and names its target", async (code) => {
    const elsewhere = await startReceiver(status(200));
    const { received, host, url } = await startReceiver(status(code, { location: elsewhere.url }));
    const error = await failure(deliverTo(url)());
    expect(error.code).toBe("ERR_INBOX_DELIVERY");
    expect(error.message).toBe(
      `The webhook at ${host} answered ${code}, a redirect to ${elsewhere.host}; redirects are not followed`,
    );
    expect(received).toHaveLength(1);
    expect(elsewhere.received).toHaveLength(0);
  });

  it.each([
    ["a relative address", { location: "/login?key=query-token" }],
    ["an unreadable address", { location: "http://[" }],
    ["no address", {}],
  ])("retries a redirect to %s", async (_name, headers) => {
    const { host, url } = await startReceiver(status(302, headers));
    const error = await failure(deliverTo(url)());
    expect(error.code).toBe("ERR_INBOX_DELIVERY");
    expect(error.message).toContain(`${host} answered 302`);
  });

  it("reads Retry-After in seconds and as a date", async () => {
    const clock = createTestClock(Date.UTC(2026, 10, 22, 9, 0, 0));
    const asked = ["7", "Sun, 22 Nov 2026 09:01:30 GMT", "soon"];
    const { url } = await startReceiver((response, _request, nth) =>
      status(429, { "retry-after": asked[nth - 1] as string })(response),
    );
    const deliver = deliverTo(url, { clock });
    expect(retryAfterMs(await failure(deliver()))).toBe(7_000);
    expect(retryAfterMs(await failure(deliver()))).toBe(90_000);
    expect(retryAfterMs(await failure(deliver()))).toBeUndefined();
  });

  it("retries when nobody listens", async () => {
    const { host, server, url } = await startReceiver(status(200));
    await new Promise((resolve) => server.close(resolve));
    const error = await failure(deliverTo(url)());
    expect(error.code).toBe("ERR_INBOX_DELIVERY");
    expect(error.message).toBe(`The webhook at ${host} could not be reached: ECONNREFUSED`);
  });

  it("retries when the connection breaks before the answer", async () => {
    const { host, url } = await startReceiver((_response, request) => request.socket.destroy());
    const error = await failure(deliverTo(url)());
    expect(error.code).toBe("ERR_INBOX_DELIVERY");
    expect(error.message).toContain(`${host} could not be reached: `);
  });

  it("closes the connection and retries when there is no answer within timeoutMs", async () => {
    const clock = createTestClock(Date.now());
    const { host, server, url } = await startReceiver((_response, request) => {
      request.socket.once("close", () => server.emit("let-go"));
    });
    const answered = once(server, "answered");
    const letGo = once(server, "let-go");
    const delivery = deliverTo(url, { clock, timeoutMs: 5_000 })();
    await answered;
    clock.advance(4_999);
    clock.advance(1);
    const error = await failure(delivery);
    expect(error.code).toBe("ERR_INBOX_TIMEOUT");
    expect(error.message).toBe(`The webhook at ${host} did not answer within 5000 ms`);
    await letGo;
    expect(clock.pending).toBe(0);
  });

  it("closes the request and rejects with the reason of its signal", async () => {
    const clock = createTestClock(Date.now());
    const { server, url } = await startReceiver((_response, request) => {
      request.socket.once("close", () => server.emit("let-go"));
    });
    const answered = once(server, "answered");
    const letGo = once(server, "let-go");
    const controller = new AbortController();
    const delivery = deliverTo(url, { clock }, controller.signal)();
    await answered;
    const reason = new InboxError("ERR_INBOX_STOPPED", "stopped");
    controller.abort(reason);
    expect(await failure(delivery)).toBe(reason);
    await letGo;
    expect(clock.pending).toBe(0);
  });

  it("posts nothing when the signal was aborted before", async () => {
    const { received, url } = await startReceiver(status(200));
    const reason = new InboxError("ERR_INBOX_STOPPED", "stopped");
    expect(await failure(deliverTo(url, {}, AbortSignal.abort(reason))())).toBe(reason);
    await deliverTo(url)({ ...MESSAGE, text: "a later one" });
    expect(received).toHaveLength(1);
  });

  it("is done when the status is there, whatever the body does", async () => {
    const clock = createTestClock(Date.now());
    const { server, url } = await startReceiver((response) => {
      response.writeHead(200).write("a beginning");
      response.once("close", () => server.emit("let-go"));
    });
    const letGo = once(server, "let-go");
    await deliverTo(url, { clock, timeoutMs: 5_000 })();
    clock.advance(5_000);
    await letGo;
  });

  it.each([200, 500])("cancels an endless answer (%i)", async (code) => {
    const { server, url } = await startReceiver((response) => {
      const block = Buffer.alloc(65_536, "x");
      const write = () => {
        while (response.write(block));
        response.once("drain", write);
      };
      response.writeHead(code);
      response.once("close", () => server.emit("let-go"));
      write();
    });
    const letGo = once(server, "let-go");
    // A clock that never moves: only the cancelling can end the connection.
    await deliverTo(url, { clock: createTestClock(Date.now()) })().catch(() => {});
    await letGo;
  });

  it("gives up on a body above maxBodyBytes and names the limit", async () => {
    const { received, url } = await startReceiver(status(200));
    await deliverTo(url)();
    const bytes = received[0]?.body.length as number;
    await deliverTo(url, { maxBodyBytes: bytes })();
    expect(received).toHaveLength(2);

    const error = await failure(deliverTo(url, { maxBodyBytes: bytes - 1 })());
    expect(error).toBeInstanceOf(PermanentError);
    expect(error.message).toContain(`more than \`maxBodyBytes\` (${bytes - 1})`);
    expect(received).toHaveLength(2);
  });

  it("posts the longest text of a Gateway by default", async () => {
    const { received, url } = await startReceiver(status(200));
    await deliverTo(url)({ ...MESSAGE, text: "\u0001".repeat(500_000) });
    expect(received[0]?.body.length).toBeGreaterThan(3_000_000);
  });

  it("posts well-formed text without lone surrogates or NUL", async () => {
    const { received, url } = await startReceiver(status(200));
    await deliverTo(url)({ ...MESSAGE, text: "a\ud83d b\udc00\0c 🛒", session: { name: ["x\udfff\0"] } });
    const body = received[0]?.body.toString() ?? "";
    expect(JSON.parse(body).data).toMatchObject({ text: "a\ufffd b\ufffdc 🛒", session: { name: ["x\ufffd"] } });
    expect(body).not.toMatch(/\\u(d[89a-f]|0000)/i);
  });

  it("gives up on a session that is no JSON", async () => {
    const { received, url } = await startReceiver(status(200));
    const error = await failure(deliverTo(url)({ ...MESSAGE, session: { userId: 42n } }));
    expect(error).toBeInstanceOf(PermanentError);
    expect(received).toHaveLength(0);
  });
});

describe("the options of webhook", () => {
  const fine = { url: "https://hooks.example.com/in", secret: SECRET };

  it.each([
    "https://hooks.example.com/in",
    "http://localhost:3000/in",
    "http://127.0.0.1/in",
    "http://127.9.8.7:81/in",
    "http://127.1/in",
    "http://[::1]:3000/in",
    new URL("https://hooks.example.com/in"),
  ])("accept %s", (url) => {
    expect(webhook({ ...fine, url })).toBeTypeOf("function");
  });

  it("accept plain http to any host with allowInsecure", () => {
    expect(webhook({ ...fine, url: "http://web:3000/in", allowInsecure: true })).toBeTypeOf("function");
  });

  it.each([
    ["http beyond this machine", { url: "http://hooks.example.com/hidden" }, "url"],
    ["http to a name that only looks like this machine", { url: "http://127.0.0.1.example.com/" }, "url"],
    ["http to a private address", { url: "http://10.0.0.1/hidden" }, "url"],
    ["allowInsecure that is no boolean", { allowInsecure: "hidden" }, "allowInsecure"],
    ["another protocol, also with allowInsecure", { url: "ftp://h/hidden", allowInsecure: true }, "url"],
    ["a user and password in the URL", { url: "https://user:hidden@hooks.example.com/" }, "url"],
    ["another protocol", { url: "ftp://localhost/hidden" }, "url"],
    ["no URL", { url: "hidden" }, "url"],
    ["a missing URL", { url: undefined }, "url"],
    ["a secret without whsec_", { secret: Buffer.from("hidden".repeat(8)).toString("base64") }, "secret"],
    ["a secret that is not base64", { secret: "whsec_hidden!hidden!hidden!hidden!hidden!hidden" }, "secret"],
    ["a secret of 23 bytes", { secret: `whsec_${Buffer.alloc(23, 1).toString("base64")}` }, "secret"],
    ["a secret of 65 bytes", { secret: `whsec_${Buffer.alloc(65, 1).toString("base64")}` }, "secret"],
    ["an empty secret", { secret: "" }, "secret"],
    ["a missing secret", { secret: undefined }, "secret"],
    ["no secrets", { secret: [] }, "secret"],
    ["one good and one bad secret", { secret: [SECRET, "whsec_hidden"] }, "secret"],
    ["a time of 0", { timeoutMs: 0 }, "timeoutMs"],
    ["a time beyond fetch's own", { timeoutMs: 300_001 }, "timeoutMs"],
    ["a body limit of 0", { maxBodyBytes: 0 }, "maxBodyBytes"],
    ["a signature header", { headers: { "Webhook-Signature": "hidden" } }, "headers"],
    ["a content type", { headers: { "content-type": "hidden" } }, "headers"],
    ["a header with a line break", { headers: { "x-token": "hidden\r\nx: y" } }, "headers"],
    ["a header that is no text", { headers: { "x-token": undefined } }, "headers"],
    ["events that are no array", { events: "hidden" }, "events"],
    ["an unknown event", { events: ["hidden"] }, "events"],
    ["a misspelt option", { timeout: "hidden" }, "timeout"],
  ])("refuse %s at once without quoting it", (_name, wrong, option) => {
    let error: unknown;
    try {
      webhook({ ...fine, ...(wrong as Partial<WebhookOptions>) });
    } catch (thrown) {
      error = thrown;
    }
    expect(isInboxError(error, "ERR_INBOX_OPTION")).toBe(true);
    expect((error as InboxError).details["option"]).toBe(option);
    const shown = inspect(error, { depth: Infinity, showHidden: true });
    const secrets = [(wrong as { secret?: unknown }).secret ?? []].flat().filter((secret) => secret !== "");
    for (const hidden of ["hidden", ...(secrets as string[])])
      expect(shown.replace(/\n +at .*/g, "")).not.toContain(hidden);
  });
});

describe("retryAfterMs", () => {
  it("reads the detail of an InboxError and nothing else", () => {
    expect(retryAfterMs(new InboxError("ERR_INBOX_DELIVERY", "later", { retryAfterMs: 5 }))).toBe(5);
    expect(retryAfterMs(new InboxError("ERR_INBOX_DELIVERY", "later", { retryAfterMs: 0 }))).toBe(0);
    for (const nonsense of [-1, Number.NaN, "5", undefined]) {
      expect(retryAfterMs(new InboxError("ERR_INBOX_DELIVERY", "later", { retryAfterMs: nonsense }))).toBeUndefined();
    }
    for (const other of [
      undefined,
      "later",
      new Error("later"),
      { details: { retryAfterMs: 5 } },
      optionError("a", "b", 1),
    ]) {
      expect(retryAfterMs(other)).toBeUndefined();
    }
  });

  it("limits a wait to one day", () => {
    const error = new InboxError("ERR_INBOX_DELIVERY", "later", { retryAfterMs: Number.POSITIVE_INFINITY });
    expect(retryAfterMs(error)).toBe(MAX_RETRY_AFTER_MS);
  });
});

describe("parseRetryAfter", () => {
  const now = Date.UTC(2026, 10, 22, 9, 0, 0);

  it.each([
    ["0", 0],
    [" 120 ", 120_000],
    ["99999999999999999999", MAX_RETRY_AFTER_MS],
    ["Sun, 22 Nov 2026 09:00:10 GMT", 10_000],
    ["Sunday, 22-Nov-26 09:00:10 GMT", 10_000],
    ["Sun Nov 22 09:00:10 2026", 10_000],
    ["Sun, 22 Nov 2026 08:00:00 GMT", 0],
    ["Sun, 22 Nov 2099 09:00:00 GMT", MAX_RETRY_AFTER_MS],
  ])("reads %j as %i ms", (header, ms) => {
    expect(parseRetryAfter(header, now)).toBe(ms);
  });

  it.each([null, "", "-5", "1.5", "soon", "2026-11-22", "Mon, 99 Nov 2026 09:00:00 GMT"])(
    "reads nothing from %j",
    (header) => {
      expect(parseRetryAfter(header, now)).toBeUndefined();
    },
  );
});
