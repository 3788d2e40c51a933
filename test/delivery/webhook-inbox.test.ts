import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { NEVER, Subject } from "rxjs";
import { Webhook } from "standardwebhooks";
import { afterEach, describe, expect, it } from "vitest";
import { type WebhookOptions, webhook } from "../../src/delivery/webhook/webhook.ts";
import {
  type Alarm,
  createInbox,
  type Inbox,
  InboxError,
  type InboxOptions,
  type Source,
  type SourceListener,
} from "../../src/index.ts";
import { createTestClock } from "../../src/testing/clock.ts";
import { turn } from "../helpers/turns.ts";

const SECRET = `whsec_${Buffer.alloc(32, 5).toString("base64")}`;
const closing: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

interface Received {
  readonly id: string;
  readonly body: { readonly type: string; readonly timestamp: string; readonly data: Record<string, unknown> };
}

/** A receiver that checks each signature, and answers by `answer`. */
async function startReceiver(answer: (nth: number) => { readonly status: number; readonly body?: string }) {
  const received: Received[] = [];
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const headers = request.headers as Record<string, string>;
      const body = new Webhook(SECRET).verify(Buffer.concat(chunks), headers) as Received["body"];
      received.push({ id: headers["webhook-id"] as string, body });
      const { status, body: words } = answer(received.length);
      response.writeHead(status).end(words);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  closing.push(async () => {
    server.closeAllConnections();
    server.close();
  });
  return { received, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` };
}

function open(url: string, hook: Partial<WebhookOptions> = {}, options: InboxOptions = {}) {
  const clock = createTestClock(Date.now());
  const lines: [object, string][] = [];
  const note = (fields: object, text: string) => void lines.push([fields, text]);
  const inbox = createInbox({
    clock,
    deliver: webhook({ url, secret: SECRET, clock, ...hook }),
    logger: { debug: note, info: note, warn: note, error: note },
    ...options,
  });
  closing.push(() => inbox.stop({ drainMs: 0 }));
  return { inbox, clock, lines };
}

async function until(done: () => boolean): Promise<void> {
  while (!done()) await turn();
}

const run = (inbox: Inbox, fields: object) =>
  inbox.handle({ runId: "r1", sessionKey: "agent:main:main", seq: 2, ...fields });

describe("a receiver's refusal", () => {
  it("is kept with the dead letter and is in no log line", async () => {
    const body = `no such\n\tconversation \u001b[31m${"x".repeat(1_000)}`;
    const { url } = await startReceiver(() => ({ status: 422, body }));
    const { inbox, lines } = open(url);
    run(inbox, { state: "final", message: { content: "Hello" } });
    await until(() => inbox.stats().dead === 1);
    const [letter] = await inbox.deadLetters();
    expect(letter?.error).toMatch(/^The webhook at 127\.0\.0\.1:\d+ answered 422: no such conversation \[31mx+$/);
    expect(letter?.error?.length).toBeLessThan(300);
    expect(JSON.stringify(lines)).not.toContain("no such");
    expect(JSON.stringify(lines)).toContain("answered 422");
  });

  it("may be without words", async () => {
    const { url } = await startReceiver(() => ({ status: 422 }));
    const { inbox } = open(url);
    run(inbox, { state: "final", message: { content: "Hello" } });
    await until(() => inbox.stats().dead === 1);
    expect((await inbox.deadLetters())[0]?.error).toMatch(/ answered 422$/);
  });
});

describe("the webhook's `events`", () => {
  const events = ["run.errored", "run.expired", "delivery.dead", "link.paused", "link.live", "job.silent"] as const;

  it("sends only messages by default", async () => {
    const { url, received } = await startReceiver(() => ({ status: 204 }));
    const { inbox } = open(url);
    run(inbox, { state: "error", errorMessage: "the model is away" });
    run(inbox, { runId: "r2", state: "final", message: { content: "Hello" } });
    await until(() => inbox.stats().delivered === 1);
    expect(received.map(({ body }) => body.type)).toEqual(["openclaw.message"]);
  });

  it("sends errored and expired runs without the agent's text", async () => {
    const { url, received } = await startReceiver(() => ({ status: 204 }));
    const { inbox, clock } = open(url, { events }, { ttlMs: 60_000 });
    run(inbox, { seq: 1, state: "delta", deltaText: "The secret" });
    run(inbox, { state: "error", errorMessage: "the model is away" });
    run(inbox, { runId: "r2", seq: 1, state: "delta", deltaText: "The secret" });
    await until(() => received.length === 1);
    await turn();
    clock.advance(60_000);
    await until(() => received.length === 2);
    const [errored, expired] = received;
    const ids = { gateway: "default", sessionKey: "agent:main:main", chars: 10, origin: "unknown" };
    expect(errored?.body).toMatchObject({
      type: "openclaw.run.errored",
      data: { ...ids, runId: "r1", error: "the model is away" },
    });
    expect(expired?.body).toMatchObject({ type: "openclaw.run.expired", data: { ...ids, runId: "r2" } });
    expect(errored?.id).toMatch(/^evt_[\w-]{32}$/);
    expect(JSON.stringify(received)).not.toContain("The secret");
  });

  it("logs an event that cannot be written", async () => {
    const { url } = await startReceiver(() => ({ status: 204 }));
    const { inbox, lines } = open(url, { events, maxBodyBytes: 300 });
    run(inbox, { state: "error", errorMessage: "x".repeat(1_000) });
    const wrong = { ...createTestClock(), now: () => Number.NaN };
    const { inbox: timeless, lines: more } = open(url, { events }, { clock: wrong });
    run(timeless, { state: "error" });
    await turn();
    for (const said of [lines, more]) expect(JSON.stringify(said)).toContain("run.errored");
  });

  it("names an event alike on every host", async () => {
    const { url, received } = await startReceiver(() => ({ status: 204 }));
    for (const { inbox } of [open(url, { events }), open(url, { events })]) run(inbox, { state: "error" });
    await until(() => received.length === 2);
    expect(received[0]?.id).toBe(received[1]?.id);
  });

  it("sends dead letters", async () => {
    const { url, received } = await startReceiver((nth) => ({ status: nth === 1 ? 422 : 204, body: "no" }));
    const { inbox } = open(url, { events });
    run(inbox, { state: "final", message: { content: "Hello" } });
    await until(() => received.length === 2);
    const { id, ...data } = received[1]?.body.data ?? {};
    expect(id).toBe(received[0]?.id);
    expect(received[1]?.body.type).toBe("openclaw.delivery.dead");
    expect(data).toMatchObject({ runId: "r1", attempts: 1, error: expect.stringMatching(/answered 422: no$/) });
    expect(JSON.stringify(data)).not.toContain("Hello");
  });

  it("sends links that become live or paused", async () => {
    const { url, received } = await startReceiver(() => ({ status: 204 }));
    let listener: SourceListener | undefined;
    const source: Source = {
      name: "home",
      open(opened) {
        listener = opened;
      },
      close: async () => {},
    };
    const { inbox } = open(url, { events }, { source });
    void inbox.start();
    await until(() => listener !== undefined);
    listener?.link({ type: "connect" });
    listener?.link({ type: "hello" });
    listener?.link({ type: "refused", reason: "Pair this host." });
    await until(() => received.length === 2);
    expect(received.map(({ body }) => [body.type, body.data["gateway"], body.data["reason"]])).toEqual([
      ["openclaw.link.live", "home", undefined],
      ["openclaw.link.paused", "home", "Pair this host."],
    ]);
  });

  it("tells of a silent cron job, and not of its coming back", async () => {
    const { url, received } = await startReceiver(() => ({ status: 204 }));
    const alarms = new Subject<Alarm>();
    const deliver = webhook({ url, secret: SECRET, events });
    deliver.attach?.({ outcomes$: NEVER, deliveries$: NEVER, links$: NEVER, alarms$: alarms } as never, () => {});
    const job = { part: "job", gateway: "home", job: "j1", name: "Morning", due: 1_800_000_000_000 } as const;
    const claimed = { status: "ok", ranMs: 1 };
    alarms.next({ part: "ledger", error: new InboxError("ERR_INBOX_LEDGER", "The disk is full") });
    alarms.next({ ...job, claimed, error: new InboxError("ERR_INBOX_JOB", "The cron job j1 is silent") });
    alarms.next(job);
    alarms.next({ ...job, job: "j2", error: new InboxError("ERR_INBOX_JOB", "The cron job j2 is silent") });
    await until(() => received.length === 2);
    const { part: _, ...ids } = job;
    const due = "2027-01-15T08:00:00.000Z";
    expect(received[0]?.body.type).toBe("openclaw.job.silent");
    expect(received[0]?.body.data).toEqual({ ...ids, due, claimed, error: "The cron job j1 is silent" });
    expect(received[1]?.body.data).toMatchObject({ job: "j2", error: "The cron job j2 is silent" });
  });

  it("tries an event five times and then counts and logs it", async () => {
    const { url, received } = await startReceiver((nth) => ({ status: nth <= 5 ? 503 : 204 }));
    const { inbox, clock, lines } = open(url, { events });
    run(inbox, { state: "error" });
    run(inbox, { runId: "r2", state: "error" });
    await until(() => {
      clock.advance(1_000);
      return received.length === 6;
    });
    expect(new Set(received.slice(0, 5).map(({ id }) => id)).size).toBe(1);
    expect(received[5]?.body.data["runId"]).toBe("r2");
    expect(inbox.stats().eventsUntold).toBe(1);
    expect(lines.at(-1)).toMatchObject([{ event: "run.errored" }, "event could not be reported"]);
  });

  it("lets 1,000 events wait and counts the others", async () => {
    const { url } = await startReceiver(() => ({ status: 503 }));
    const { inbox } = open(url, { events });
    for (let i = 0; i < 1_101; i++) run(inbox, { runId: `r${i}`, state: "error" });
    expect(inbox.stats().eventsUntold).toBe(100);
  });

  it("leaves no timer and no request when the inbox stops", async () => {
    const { url, received } = await startReceiver(() => ({ status: 503 }));
    const { inbox, clock } = open(url, { events });
    run(inbox, { state: "error" });
    await until(() => received.length === 1);
    await inbox.stop();
    expect(clock.pending).toBe(0);
    await turn();
    expect(received).toHaveLength(1);
  });
});
