import { expect, it } from "vitest";
import type { FakeGateway } from "../../src/testing/index.ts";
import { type Client, connectClient, fakeGateway } from "./helpers.ts";

const KEY = "agent:main:collavre:42:creative:100";

/** What `client` has been sent, once all of it is there. */
async function heard(gateway: FakeGateway, client: Client): Promise<Client> {
  gateway.emit("that's all", {});
  await client.event("that's all");
  return client;
}

const states = (client: Client) => client.events("chat").map(({ payload }) => payload.state);

async function subscribed(gateway: FakeGateway, key = KEY): Promise<Client> {
  const client = await connectClient(gateway);
  expect((await client.request("sessions.messages.subscribe", { key })).payload).toEqual({
    subscribed: true,
    key: key.toLowerCase(),
  });
  return client;
}

it("sends a whole run as cumulative deltas and a final", async () => {
  const gateway = await fakeGateway();
  const client = await connectClient(gateway);
  const runId = gateway.say("One two three.", { sessionKey: KEY, chunks: ["One", " two", " three."] });
  const chat = (await heard(gateway, client)).events("chat").map(({ payload }) => payload);
  expect(chat.map(({ deltaText, message }) => [deltaText, message.content[0].text])).toEqual([
    ["One", "One"],
    [" two", "One two"],
    [" three.", "One two three."],
    [undefined, "One two three."],
  ]);
  expect(chat.map(({ runId, sessionKey }) => [runId, sessionKey])).toEqual(Array(4).fill([runId, KEY]));
  // As on a real Gateway, the text that came last goes out with the number of the end.
  expect(chat[2].seq).toBe(chat[3].seq);
  expect(chat[1].seq).toBeLessThan(chat[2].seq);
  expect(client.events("agent").length).toBeGreaterThan(chat.length);
});

it("splits the text into the given number of deltas between characters", async () => {
  const gateway = await fakeGateway();
  const client = await connectClient(gateway);
  gateway.say("🦞🦞🦞🦞", { chunks: 5 });
  gateway.say("Only a final.", { chunks: 0 });
  const deltas = (await heard(gateway, client)).events("chat").filter(({ payload }) => payload.state === "delta");
  expect(deltas.map(({ payload }) => payload.deltaText).join("")).toBe("🦞🦞🦞🦞");
  for (const { payload } of deltas) expect(payload.deltaText.isWellFormed?.() ?? true).toBe(true);
});

it("lower-cases session keys", async () => {
  const gateway = await fakeGateway();
  const client = await subscribed(gateway, KEY.toUpperCase());
  gateway.say("Hi.", { sessionKey: KEY.toUpperCase(), hidden: true });
  expect((await heard(gateway, client)).events("chat")[0]?.payload.sessionKey).toBe(KEY);
});

it("sends a hidden run to subscribers only, as its row and one final", async () => {
  const gateway = await fakeGateway();
  const plain = await connectClient(gateway);
  const subscriber = await subscribed(gateway);
  const other = await subscribed(gateway, "agent:main:other");
  const runId = gateway.say("Psst.", { sessionKey: KEY, origin: "heartbeat" });
  for (const client of [plain, other]) {
    await heard(gateway, client);
    expect(
      client.frames.filter(({ event }) => event === "chat" || event === "agent" || event === "session.message"),
    ).toEqual([]);
    expect(client.events("heartbeat")[0]?.payload).toMatchObject({ preview: "Psst.", hasMedia: false });
  }
  await heard(gateway, subscriber);
  const said = subscriber.frames.filter(({ event }) => event === "chat" || event === "session.message");
  expect(said.map(({ event, payload }) => payload.state ?? event)).toEqual(["session.message", "final"]);
  expect(said[0]?.payload.message.__openclaw.runId).toBe(runId);
  expect(subscriber.events("agent")[0]?.payload.isHeartbeat).toBe(true);
});

it("sends nothing to those who unsubscribed", async () => {
  const gateway = await fakeGateway();
  const client = await subscribed(gateway);
  await client.request("sessions.messages.unsubscribe", { key: KEY });
  gateway.say("Psst.", { sessionKey: KEY, hidden: true });
  expect(states(await heard(gateway, client))).toEqual([]);
});

it("sends rows and phases of every session to the roster", async () => {
  const gateway = await fakeGateway();
  const client = await connectClient(gateway);
  expect((await client.request("sessions.subscribe")).payload).toEqual({ subscribed: true });
  const runId = gateway.say("Psst.", { sessionKey: KEY, origin: "wake" });
  await heard(gateway, client);
  expect(client.events("sessions.changed").map(({ payload }) => [payload.phase, payload.runId])).toEqual([
    ["start", runId],
    ["message", undefined],
    ["end", runId],
  ]);
  expect(client.events("session.message").map(({ payload }) => payload.sessionKey)).toEqual([KEY]);
  expect(states(client)).toEqual([]);
});

it("sends a client without operator.read nothing that agents say", async () => {
  const gateway = await fakeGateway();
  const client = await connectClient(gateway, []);
  gateway.say("Hi.", { sessionKey: KEY });
  await heard(gateway, client);
  expect(client.frames.map(({ event }) => event)).toEqual(["connect.challenge", undefined, "that's all"]);
});

it("ends a run in one error and a chat.send in two", async () => {
  const gateway = await fakeGateway();
  const client = await connectClient(gateway);
  gateway.say("Half", { sessionKey: KEY, chunks: 1, end: "error", failure: { message: "No model.", kind: "timeout" } });
  gateway.say("Half", { sessionKey: KEY, chunks: 1, end: "error", origin: "send" });
  await heard(gateway, client);
  expect(states(client)).toEqual(["delta", "error", "status", "status", "status", "delta", "error", "error"]);
  expect(client.events("chat")[1]?.payload).toMatchObject({ errorMessage: "No model.", errorKind: "timeout" });
  expect(client.events("chat").at(-1)?.payload.seq).toBe(1);
  expect(client.events("chat").at(-1)?.payload).not.toHaveProperty("agentId");
});

it("ends a run by chat.abort with its partial text", async () => {
  const gateway = await fakeGateway();
  const client = await connectClient(gateway);
  const runId = gateway.say("Half", { sessionKey: KEY, chunks: 2, end: "none" });
  const answer = await client.request("chat.abort", { sessionKey: KEY, runId });
  expect(answer.payload).toEqual({ ok: true, aborted: true, runIds: [runId] });
  await heard(gateway, client);
  expect(states(client)).toEqual(["delta", "delta", "aborted"]);
  expect(client.events("chat").at(-1)?.payload.message.content[0].text).toBe("Half");
  const after = client.frames.slice(client.frames.findIndex(({ payload }) => payload?.state === "aborted") + 1);
  expect(after.filter(({ event }) => event === "agent").map(({ payload }) => payload.data.phase)).toEqual([
    "end",
    "error",
  ]);
  expect((await client.request("chat.abort", { sessionKey: KEY })).payload).toEqual({
    ok: true,
    aborted: false,
    runIds: [],
  });
});

it("lets a test speak a run piece by piece and replace its text", async () => {
  const gateway = await fakeGateway();
  const client = await connectClient(gateway);
  const run = gateway.run({ sessionKey: KEY });
  run.delta("Wrong");
  run.replace("");
  run.delta("Right.");
  expect(gateway.running(run.runId)).toBe(run);
  run.final();
  run.delta("too late");
  run.final("too late");
  await heard(gateway, client);
  expect(client.events("chat").map(({ payload }) => [payload.deltaText, payload.replace])).toEqual([
    ["Wrong", undefined],
    ["", true],
    ["Right.", undefined],
    [undefined, undefined],
  ]);
  expect(run.text).toBe("Right.");
  expect(gateway.running(run.runId)).toBeUndefined();
});

it("answers chat.send and replies once under the given key", async () => {
  const gateway = await fakeGateway({ reply: (message) => `${message} to you.` });
  const client = await connectClient(gateway);
  const params = { sessionKey: KEY, message: "Hello", idempotencyKey: "send-1" };
  expect((await client.request("chat.send", params)).payload).toEqual({ runId: "send-1", status: "started" });
  await client.request("chat.send", params);
  await heard(gateway, client);
  const finals = client.events("chat").filter(({ payload }) => payload.state === "final");
  expect(finals.map(({ payload }) => [payload.runId, payload.message.content[0].text])).toEqual([
    ["send-1", "Hello to you."],
  ]);
  expect(client.frames.findIndex(({ payload }) => payload?.status === "started")).toBeLessThan(
    client.frames.findIndex(({ event }) => event === "chat"),
  );
});

it("injects a note as one final with seq 0 and a row without a run", async () => {
  const gateway = await fakeGateway();
  const client = await subscribed(gateway);
  const answer = await client.request("chat.inject", { sessionKey: KEY, message: "Note.", label: "bridge" });
  await heard(gateway, client);
  const { payload } = client.events("chat")[0] ?? {};
  expect([payload.runId, payload.seq, payload.state]).toEqual([`inject-${answer.payload.messageId}`, 0, "final"]);
  expect(payload.message.content[0].text).toBe("[bridge]\n\nNote.");
  const row = client.events("session.message")[0]?.payload.message;
  expect(row.__openclaw).not.toHaveProperty("runId");
  expect(row.__openclaw.id).toBe(answer.payload.messageId);
});

it("speaks a reminder under its own key and writes a row into the conversation", async () => {
  const gateway = await fakeGateway();
  const client = await subscribed(gateway);
  gateway.say("Stretch!", { sessionKey: KEY, origin: "cron-current", jobId: "job-1" });
  await heard(gateway, client);
  expect(client.events("chat").at(-1)?.payload.sessionKey).toMatch(/^agent:main:cron:job-1:run:/);
  const row = client.events("session.message").at(-1)?.payload;
  expect([row.sessionKey, row.message.openclawAutomation]).toEqual([
    KEY,
    { kind: "cron", jobId: "job-1", runId: expect.stringMatching(/^cron:job-1:/) },
  ]);
  expect(gateway.transcripts.rows("agent:main:cron:job-1")).toHaveLength(2);
});

it("sends a cron job's firing and hides one of the main session", async () => {
  const gateway = await fakeGateway();
  const client = await connectClient(gateway);
  gateway.say("Time to stretch.", { origin: "cron", jobId: "main-job" });
  gateway.say("In a session.", { origin: "cron", jobId: "session-job", sessionKey: KEY });
  await heard(gateway, client);
  expect(client.events("cron").map(({ payload }) => [payload.jobId, payload.action])).toEqual([
    ["main-job", "started"],
    ["main-job", "finished"],
    ["session-job", "started"],
    ["session-job", "finished"],
  ]);
  expect(new Set(client.events("chat").map(({ payload }) => payload.sessionKey))).toEqual(new Set([KEY]));
  const jobs = await client.request("cron.list", { limit: 1 });
  expect([jobs.payload.jobs[0].id, jobs.payload.hasMore, jobs.payload.nextOffset]).toEqual(["main-job", true, 1]);
  const runs = await client.request("cron.runs", { id: "session-job" });
  expect(runs.payload.entries.map(({ summary }: { summary: string }) => summary)).toEqual(["In a session."]);
});

it("names the parent of a helper's run", async () => {
  const gateway = await fakeGateway();
  const client = await connectClient(gateway);
  gateway.say("Report.", { sessionKey: KEY, origin: "subagent" });
  const { payload } = (await heard(gateway, client)).events("chat").at(-1) ?? {};
  expect([payload.sessionKey.split(":").slice(0, 3), payload.spawnedBy]).toEqual([["agent", "main", "subagent"], KEY]);
});

it("sends and remembers a hand-made chat event", async () => {
  const gateway = await fakeGateway();
  const plain = await connectClient(gateway);
  const subscriber = await subscribed(gateway);
  const message = { role: "assistant", content: [{ type: "text", text: "Hand-made." }] };
  gateway.chat({ runId: "r", sessionKey: KEY, seq: 3, state: "final", message }, { hidden: true });
  expect(states(await heard(gateway, plain))).toEqual([]);
  expect((await heard(gateway, subscriber)).events("chat").map(({ payload }) => payload)).toEqual([
    { runId: "r", sessionKey: KEY, seq: 3, state: "final", message },
  ]);
  const history = await plain.request("chat.history", { sessionKey: KEY });
  expect(history.payload.messages).toMatchObject([{ content: [{ text: "Hand-made." }], __openclaw: { runId: "r" } }]);
});

it("emits to the clients that a test picks", async () => {
  const gateway = await fakeGateway();
  const [one, two] = [await connectClient(gateway), await connectClient(gateway)];
  const [first] = gateway.connections();
  gateway.emit("only.one", {}, { to: ({ id }) => id === first?.id });
  await heard(gateway, one);
  await heard(gateway, two);
  expect([one.events("only.one").length, two.events("only.one").length]).toEqual([1, 0]);
});
