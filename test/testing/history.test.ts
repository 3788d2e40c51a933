import { expect, it } from "vitest";
import { connectClient, fakeGateway } from "./helpers.ts";

const KEY = "agent:main:one";

interface Row {
  readonly content: unknown;
  readonly __openclaw: { readonly runId?: string };
}

interface Given {
  readonly content: readonly { readonly text?: string }[];
  readonly __openclaw: { readonly seq: number };
}

it("gives a session's rows page by page from the newest", async () => {
  const gateway = await fakeGateway();
  for (let turn = 1; turn <= 3; turn += 1) gateway.say(`Reply ${turn}`, { sessionKey: KEY, prompt: `Ask ${turn}` });
  const client = await connectClient(gateway);
  const page = async (params: object) => (await client.request("chat.history", { sessionKey: KEY, ...params })).payload;
  const texts = (messages: { content: string | { text: string }[] }[]) =>
    messages.map(({ content }) => (typeof content === "string" ? content : content[0]?.text));
  const newest = await page({ limit: 2 });
  expect([texts(newest.messages), newest.hasMore, newest.nextOffset, newest.totalMessages]).toEqual([
    ["Ask 3", "Reply 3"],
    true,
    2,
    6,
  ]);
  const older = await page({ limit: 10, offset: newest.nextOffset });
  expect([texts(older.messages), older.hasMore]).toEqual([["Ask 1", "Reply 1", "Ask 2", "Reply 2"], false]);
  expect((await client.request("chat.history", { sessionKey: "agent:main:none" })).payload.messages).toEqual([]);
});

it("cuts long text at 8,000 characters unless asked for more", async () => {
  const gateway = await fakeGateway();
  const client = await connectClient(gateway);
  await client.request("sessions.messages.subscribe", { key: KEY });
  const text = "x".repeat(14_000);
  gateway.say(text, { sessionKey: KEY, chunks: 1 });
  const event = await client.frame(
    ({ event, payload }) => event === "session.message" && payload.message.role === "assistant",
  );
  const short = (await client.request("chat.history", { sessionKey: KEY })).payload.messages.at(-1);
  for (const row of [event.payload.message, short]) {
    expect(row.content[0].text).toBe(`${"x".repeat(8_000)}\n...(truncated)...`);
    expect(row.__openclaw.truncated).toBe(true);
  }
  const whole = (await client.request("chat.history", { sessionKey: KEY, maxChars: 500_000 })).payload.messages.at(-1);
  expect([whole.content[0].text, whole.__openclaw.truncated]).toEqual([text, undefined]);
  const got = await client.request("chat.message.get", { sessionKey: KEY, messageId: short.__openclaw.id });
  expect([got.payload.ok, got.payload.message.content[0].text]).toEqual([true, text]);
  const missing = await client.request("chat.message.get", { sessionKey: KEY, messageId: "none" });
  expect(missing.payload).toEqual({ ok: false, unavailableReason: "not_found" });
});

it("answers a cursor with new rows as session.message payloads", async () => {
  const gateway = await fakeGateway();
  const client = await connectClient(gateway);
  gateway.say("Old.", { sessionKey: KEY });
  const { deltaCursor } = (await client.request("chat.history", { sessionKey: KEY })).payload;
  const nothing = await client.request("chat.history", { sessionKey: KEY, cursor: deltaCursor });
  expect(nothing.payload).toMatchObject({ kind: "delta", messages: [], deltaCursor });
  const runId = gateway.say("New.", { sessionKey: KEY, prompt: "More?" });
  const { payload } = await client.request("chat.history", { sessionKey: KEY, cursor: deltaCursor });
  expect(payload.messages.map(({ message }: { message: Row }) => [message.content, message.__openclaw.runId])).toEqual([
    ["More?", undefined],
    [[{ type: "text", text: "New." }], runId],
  ]);
  expect(payload.deltaCursor).not.toBe(deltaCursor);
});

it("answers reset to a cursor that does not fit", async () => {
  const gateway = await fakeGateway();
  const client = await connectClient(gateway);
  gateway.say("Old.", { sessionKey: KEY });
  gateway.say("Other.", { sessionKey: "agent:main:two" });
  const ask = async (sessionKey: string, cursor: string) =>
    (await client.request("chat.history", { sessionKey, cursor })).payload;
  const { deltaCursor } = (await client.request("chat.history", { sessionKey: KEY })).payload;
  expect((await ask(KEY, deltaCursor)).kind).toBe("delta");
  gateway.transcripts.renew(KEY);
  for (const [key, cursor] of [
    [KEY, deltaCursor],
    ["agent:main:two", deltaCursor],
    [KEY, "nonsense"],
    ["agent:main:none", ""],
  ]) {
    expect(await ask(key as string, cursor as string)).toEqual({ kind: "reset" });
  }
});

it.each([
  ["a run in flight with its text so far", "subagent", "So far"],
  ["a hidden run in flight without its text", "heartbeat", ""],
] as const)("shows %s and its row once it has ended", async (_, origin, text) => {
  const gateway = await fakeGateway();
  const client = await connectClient(gateway);
  const run = gateway.run({ sessionKey: KEY, origin });
  run.delta("So far");
  const history = async () => (await client.request("chat.history", { sessionKey: run.sessionKey })).payload;
  const during = await history();
  expect(during.sessionInfo).not.toHaveProperty("activeRunIds");
  expect(during).toMatchObject({
    messages: [],
    inFlightRun: { runId: run.runId, text, sessionAbortable: true },
    sessionInfo: { hasActiveRun: true },
  });
  run.final();
  const after = await history();
  expect(after).toMatchObject({
    messages: [{ role: "assistant", __openclaw: { runId: run.runId } }],
    sessionInfo: { hasActiveRun: false, lastRunId: run.runId, status: "done" },
  });
  expect(after).not.toHaveProperty("inFlightRun");
});

it("counts hidden rows in its pages and gives no cursor with an offset", async () => {
  const gateway = await fakeGateway();
  const client = await connectClient(gateway);
  gateway.say("First.", { sessionKey: KEY, origin: "wake" });
  gateway.say("Second.", { sessionKey: KEY, origin: "wake" });
  const page = async (offset: number) =>
    (await client.request("chat.history", { sessionKey: KEY, limit: 1, offset })).payload;
  expect(await page(0)).toMatchObject({ messages: [{}], nextOffset: 1, hasMore: true, totalMessages: 4 });
  const hidden = await page(1);
  expect(hidden).toMatchObject({ messages: [], nextOffset: 2, hasMore: true });
  expect(hidden).not.toHaveProperty("deltaCursor");
});

it("answers reset when a tool was called since the cursor", async () => {
  const gateway = await fakeGateway();
  const client = await connectClient(gateway);
  gateway.say("First.", { sessionKey: KEY });
  const { deltaCursor: cursor } = (await client.request("chat.history", { sessionKey: KEY })).payload;
  gateway.transcripts.add(KEY, { role: "assistant", content: [{ type: "toolCall" }], stopReason: "toolUse" });
  const { payload } = await client.request("chat.history", { sessionKey: KEY, cursor });
  expect(payload).toEqual({ kind: "reset" });
});

// As `openclaw@2026.9.6` answered on 2026-11-26: with limit 7 the first words are on no page.
it("gives a step as two rows and cuts the first page between them", async () => {
  const gateway = await fakeGateway();
  const client = await connectClient(gateway);
  gateway.say("Opening.", { sessionKey: KEY });
  const run = gateway.run({ sessionKey: KEY });
  run.delta("Before.");
  run.callTool();
  run.delta("After.");
  run.final();
  for (let n = 0; n < 4; n += 1) gateway.say(`Note ${n}.`, { sessionKey: KEY, origin: "inject" });
  const pages = async (limit: number) => {
    const read: [number, number[], number | undefined][] = [];
    const texts: unknown[] = [];
    for (let offset: number | undefined = 0; offset !== undefined; ) {
      const { payload } = await client.request("chat.history", { sessionKey: KEY, limit, offset });
      const { messages, nextOffset } = payload as { messages: Given[]; nextOffset?: number };
      read.push([offset, messages.map((row) => row.__openclaw.seq), nextOffset]);
      texts.push(...messages.map(({ content }) => content[0]?.text));
      offset = nextOffset;
    }
    return { read, hasAll: texts.includes("Before.") && texts.includes("After.") };
  };
  expect(await pages(7)).toEqual({
    read: [
      [0, [4, 5, 6, 7, 8, 9, 10], 7],
      [7, [1, 2, 3], undefined],
    ],
    hasAll: false,
  });
  expect(await pages(4)).toEqual({
    read: [
      [0, [7, 8, 9, 10], 4],
      [4, [4, 4, 5, 6], 7],
      [7, [1, 2, 3], undefined],
    ],
    hasAll: true,
  });
  for (const limit of [1, 2, 3, 5, 6, 8, 9, 10]) expect([limit, (await pages(limit)).hasAll]).toEqual([limit, true]);
});

it("keeps failures, aborted text and cron prompts as assistant rows", async () => {
  const gateway = await fakeGateway();
  const client = await connectClient(gateway);
  const failed = gateway.say("Half", { sessionKey: KEY, end: "error" });
  const aborted = gateway.say("Half", { sessionKey: KEY, end: "aborted" });
  gateway.say("Done.", { sessionKey: KEY, origin: "cron", prompt: "Remind them." });
  const { messages } = (await client.request("chat.history", { sessionKey: KEY })).payload;
  expect(messages.filter(({ role }: { role: string }) => role === "assistant")).toMatchObject([
    { stopReason: "error", idempotencyKey: `${failed}:terminal-error`, __openclaw: { runId: failed } },
    { openclawAbort: { aborted: true, runId: aborted }, __openclaw: { runId: aborted } },
    { content: "Remind them.", provenance: { sourceTool: "cron" } },
    { content: [{ text: "Done." }] },
  ]);
  expect(messages.at(-2).__openclaw).not.toHaveProperty("runId");
});

it("lists sessions page by page, latest first", async () => {
  const gateway = await fakeGateway();
  const client = await connectClient(gateway);
  for (const key of ["a", "b", "c"]) gateway.transcripts.session(`agent:main:${key}`).updatedAt = key.charCodeAt(0);
  const first = (await client.request("sessions.list", { limit: 2 })).payload;
  expect(first.sessions.map(({ key }: { key: string }) => key)).toEqual(["agent:main:c", "agent:main:b"]);
  expect([first.count, first.totalCount, first.hasMore, first.nextOffset]).toEqual([2, 3, true, 2]);
  const last = (await client.request("sessions.list", { limit: 2, offset: first.nextOffset })).payload;
  expect([last.sessions[0].key, last.hasMore, last.nextOffset]).toEqual(["agent:main:a", false, null]);
});

it("accepts rows that no event told of", async () => {
  const gateway = await fakeGateway();
  const client = await connectClient(gateway);
  gateway.transcripts.add(
    KEY,
    { role: "assistant", content: "Said while you were away.", timestamp: 1 },
    { runId: "away" },
  );
  gateway.transcripts.add(KEY, { role: "user", content: "Not for your eyes.", timestamp: 2 }, { hidden: true });
  const { messages } = (await client.request("chat.history", { sessionKey: KEY })).payload;
  expect(messages).toMatchObject([{ content: "Said while you were away.", __openclaw: { runId: "away", seq: 1 } }]);
  expect(gateway.transcripts.rows(KEY)).toEqual(messages);
});

it("lists the sessions with the subscription on request", async () => {
  const gateway = await fakeGateway();
  const client = await connectClient(gateway);
  gateway.say("Hi.", { sessionKey: KEY });
  const { payload } = await client.request("sessions.subscribe", { limit: 5 });
  expect([payload.subscribed, payload.list.sessions[0].key]).toEqual([true, KEY]);
});
