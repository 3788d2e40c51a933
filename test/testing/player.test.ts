import { setImmediate } from "node:timers/promises";
import { expect, it } from "vitest";
import { createTestClock, type FakeGateway, type RecordedFrame, readRecording } from "../../src/testing/index.ts";
import { type Client, connectClient, fakeGateway } from "./helpers.ts";

/** What `client` has been sent after hello, once all of it is there. */
async function heard(gateway: FakeGateway, client: Client) {
  gateway.emit("that's all", {});
  await client.event("that's all");
  return client.frames.filter(({ event, seq }) => seq !== undefined && event !== "that's all");
}

const events = (frames: readonly RecordedFrame[]) =>
  frames.filter(({ frame }) => frame["type"] === "event" && frame["event"] !== "connect.challenge");

it("plays a recording's event frames to every client", async () => {
  const gateway = await fakeGateway();
  const clients = [await connectClient(gateway), await connectClient(gateway)];
  await gateway.play("c3-agent-rpc");
  const expected = events(readRecording("c3-agent-rpc")).map(({ frame }) => [frame["event"], frame["payload"]]);
  for (const client of clients) {
    const frames = await heard(gateway, client);
    expect(frames.map(({ event, payload }) => [event, payload])).toEqual(expected);
    expect(frames.map(({ seq }) => seq)).toEqual(frames.map((_, index) => index + 1));
  }
});

it("waits for a client before it begins", async () => {
  const gateway = await fakeGateway();
  const played = gateway.play("c3-agent-rpc");
  const client = await connectClient(gateway);
  await played;
  expect((await heard(gateway, client)).length).toBe(events(readRecording("c3-agent-rpc")).length);
});

it("drops the socket where the recorded one was lost and waits for a client", async () => {
  const gateway = await fakeGateway();
  const before = await connectClient(gateway);
  const played = gateway.play("m1-reconnect-while-running");
  expect(await before.closed).toEqual({ code: 1012, reason: "service restart" });
  const after = await connectClient(gateway);
  await played;
  const recorded = readRecording("m1-reconnect-while-running");
  const loss = recorded.findIndex(({ frame }, index) => index > 0 && frame["event"] === "connect.challenge");
  expect(before.frames.filter(({ seq }) => seq !== undefined)).toHaveLength(events(recorded.slice(0, loss)).length);
  expect(await heard(gateway, after)).toHaveLength(events(recorded.slice(loss)).length);
});

it("has what ended during a recorded loss in its history", async () => {
  const gateway = await fakeGateway();
  const before = await connectClient(gateway);
  const played = gateway.play("m2-finished-while-away");
  await before.closed;
  const after = await connectClient(gateway);
  const texts = async (sessionKey: string) =>
    JSON.stringify((await after.request("chat.history", { sessionKey })).payload.messages);
  expect(await texts("agent:main:collavre:42:creative:100:topic:401")).toContain(
    'finished while the listener was away."',
  );
  expect(await texts("agent:main:collavre:42:creative:100:topic:402")).toContain('Nobody was listening to this one."');
  await played;
});

it("remembers text in flight and then one row for the run", async () => {
  const gateway = await fakeGateway();
  const client = await connectClient(gateway);
  const sessionKey = "agent:main:collavre:42:creative:100:topic:200";
  const history = async () => (await client.request("chat.history", { sessionKey })).payload;
  const half = (frames: readonly RecordedFrame[]) =>
    frames.filter(({ frame }) => frame["event"] === "chat").slice(0, 2);
  await gateway.play("c3-agent-rpc", { edit: half });
  expect((await history()).inFlightRun).toMatchObject({ runId: "run-e5c1a4f4", text: "Started by the" });
  await gateway.play("c3-agent-rpc.subscribed");
  const after = await history();
  expect(after).not.toHaveProperty("inFlightRun");
  expect(after.messages.map(({ role }: { role: string }) => role)).toEqual(["user", "assistant"]);
});

it("keeps the recorded pauses divided by the speed", async () => {
  const clock = createTestClock();
  const gateway = await fakeGateway({ clock });
  const client = await connectClient(gateway);
  const chat = (frames: readonly RecordedFrame[]) => frames.filter(({ frame }) => frame["event"] === "chat");
  const times = chat(readRecording("c3-agent-rpc")).map(({ t }) => t);
  let over = false;
  const played = gateway.play("c3-agent-rpc", { speed: 2, edit: chat }).finally(() => {
    over = true;
  });
  while (!over) {
    await setImmediate();
    // The tick is one timer, the pause the other; without it, frames are on their way.
    if (clock.pending > 1) clock.advance(1);
  }
  await played;
  await client.frame(() => client.events("chat").length === times.length);
  // The clock moves in whole milliseconds.
  expect(Math.abs(clock.now() - (times.at(-1) ?? 0) / 2)).toBeLessThanOrEqual(1);
});

it("merges several recordings by time", async () => {
  const gateway = await fakeGateway();
  const client = await connectClient(gateway);
  await gateway.play(["c3-agent-rpc", "h1-abort-agent-run"]);
  const chats = (await heard(gateway, client))
    .filter(({ event }) => event === "chat")
    .map(({ payload }) => payload.runId);
  expect(new Set(chats)).toEqual(new Set(["run-e5c1a4f4", "run-1373c04f"]));
  const count = (name: string) => events(readRecording(name)).length;
  expect(await heard(gateway, client)).toHaveLength(count("c3-agent-rpc") + count("h1-abort-agent-run"));
});

it("stops playing when it is closed", async () => {
  const gateway = await fakeGateway();
  const waiting = gateway.play("c3-agent-rpc");
  await gateway.close();
  await expect(waiting).rejects.toMatchObject({ code: "ERR_INBOX_STOPPED" });
});

it("refuses a speed of 0 and a missing recording", async () => {
  const gateway = await fakeGateway();
  await expect(gateway.play("c3-agent-rpc", { speed: 0 })).rejects.toMatchObject({ code: "ERR_INBOX_OPTION" });
  await expect(gateway.play("no-such-recording")).rejects.toMatchObject({ code: "ERR_INBOX_RECORDING" });
});
