import { expect, it, onTestFinished } from "vitest";
import { createFakeGateway, type FakeGatewayOptions } from "../../src/testing/index.ts";
import { connectClient, type Frame } from "./client.ts";

const KEY = "agent:main:collavre:42:creative:100";

async function open(generation: FakeGatewayOptions["generation"]) {
  const gateway = await createFakeGateway(generation === undefined ? {} : { generation });
  onTestFinished(() => gateway.close());
  const client = await connectClient(gateway);
  await client.request("sessions.subscribe", {});
  return { gateway, client };
}

const rowsOf = (frames: readonly Frame[]): readonly Record<string, unknown>[] =>
  frames.filter(({ event }) => event === "session.message").map(({ payload }) => payload.message);

it("names no run in a row and has no cursor before 2026.8", async () => {
  const { gateway, client } = await open("2026.5");
  gateway.say("Hello.", { sessionKey: KEY, runId: "run-1" });
  await gateway.flushed();
  const history = (await client.request("chat.history", { sessionKey: KEY })) as {
    payload: { messages: { __openclaw: object }[] };
  };
  expect(Object.keys(history.payload).sort()).toEqual(["messages", "sessionId", "sessionKey"]);
  const marks = history.payload.messages.map(({ __openclaw }) => Object.keys(__openclaw).sort());
  expect(new Set(marks.map(String))).toEqual(new Set(["id,recordTimestampMs,seq"]));
  const live = rowsOf(client.frames).map(({ __openclaw }) => Object.keys(__openclaw as object).sort());
  expect(new Set(live.map(String))).toEqual(new Set(["id,seq"]));
  expect(await client.request("chat.message.get", { sessionKey: KEY, messageId: "x" })).toMatchObject({ ok: false });
});

it.each(["2026.5", "2026.8"] as const)("keeps a job's prompt as a plain user row in %s", async (generation) => {
  const { gateway, client } = await open(generation);
  gateway.say("The report.", { sessionKey: KEY, origin: "cron", prompt: "Report." });
  await gateway.flushed();
  const history = (await client.request("chat.history", { sessionKey: KEY })) as {
    payload: { messages: { role: string; content: unknown; provenance?: unknown }[] };
  };
  const prompt = history.payload.messages.find(({ role }) => role === "user");
  expect(prompt).toMatchObject({ content: expect.stringMatching(/^\[cron:\S+ \S+\] Report\./) });
  expect(prompt).not.toHaveProperty("provenance");
});

it("refuses an unknown generation", async () => {
  await expect(createFakeGateway({ generation: "2027" as never })).rejects.toMatchObject({ code: "ERR_INBOX_OPTION" });
});
