import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { createFakeGateway, createTestClock } from "../../src/testing/index.ts";
import { connectClient, connectParams, fakeGateway, openClient } from "./helpers.ts";

it("drops every client with a close code or without", async () => {
  const gateway = await fakeGateway();
  const polite = await connectClient(gateway);
  gateway.drop(1012, "service restart");
  expect(await polite.closed).toEqual({ code: 1012, reason: "service restart" });
  const cut = await connectClient(gateway);
  const gone = gateway.nextDisconnection();
  gateway.drop();
  expect((await cut.closed).code).toBe(1006);
  await gone;
  expect(gateway.connections()).toEqual([]);
});

it("ignores a client that is closing", async () => {
  const gateway = await fakeGateway();
  const client = await connectClient(gateway);
  const early = await openClient(gateway.url);
  const next = gateway.nextConnection();
  gateway.drop(1012);
  gateway.emit("too.late", {});
  early.socket.send(JSON.stringify({ type: "req", id: "1", method: "connect", params: connectParams(gateway.token) }));
  await Promise.all([client.closed, early.closed]);
  expect(client.events("too.late")).toEqual([]);
  const hello = (await connectClient(gateway)).frames.find(({ payload }) => payload?.type === "hello-ok");
  expect((await next).id).toBe(hello?.payload.server.connId);
});

it("sends nothing while stalled and all of it in order afterwards", async () => {
  const gateway = await fakeGateway();
  const client = await connectClient(gateway);
  gateway.stall();
  gateway.emit("one", {});
  const answer = client.request("sessions.subscribe");
  await gateway.nextRequest();
  gateway.emit("two", {});
  // A ping travels the same socket: when its answer is here, anything sent before would be, too.
  client.socket.ping();
  await new Promise((resolve) => client.socket.once("pong", resolve));
  expect(client.frames.map(({ type, event }) => event ?? type)).toEqual(["connect.challenge", "res"]);
  gateway.resume();
  await client.event("two");
  expect((await answer).ok).toBe(true);
  expect(client.frames.map(({ type, event }) => event ?? type).slice(2)).toEqual(["one", "res", "two"]);
});

it("forgets what a stalled client has not got when its socket closes", async () => {
  const gateway = await fakeGateway();
  const client = await connectClient(gateway);
  gateway.stall();
  gateway.emit("one", {});
  const flushed = gateway.flushed();
  gateway.drop();
  await client.closed;
  await flushed;
  gateway.resume();
  const next = await connectClient(gateway);
  gateway.emit("two", {});
  expect((await next.event("two")).seq).toBe(1);
  expect(next.events("one")).toEqual([]);
});

it("repeats event frames but no answers", async () => {
  const gateway = await fakeGateway();
  const client = await connectClient(gateway);
  gateway.repeat(3);
  gateway.emit("one", { a: 1 });
  await client.request("sessions.subscribe");
  gateway.repeat(1);
  gateway.emit("last", {});
  await client.event("last");
  expect(client.events("one")).toHaveLength(3);
  expect(new Set(client.events("one").map((frame) => JSON.stringify(frame))).size).toBe(1);
  expect(client.frames.filter(({ type }) => type === "res")).toHaveLength(2);
});

it("sends garbage as text and as bytes", async () => {
  const gateway = await fakeGateway();
  const client = await connectClient(gateway);
  const received: [string, boolean][] = [];
  client.socket.on("message", (data, isBinary) => received.push([String(data), isBinary]));
  gateway.sendRaw("{ not json");
  gateway.sendRaw(Buffer.from("bytes"));
  gateway.emit("after", {});
  await client.event("after");
  expect(received.slice(0, 2)).toEqual([
    ["{ not json", false],
    ["bytes", true],
  ]);
});

it("says shutdown and returns on the same port with its transcripts", async () => {
  const gateway = await fakeGateway();
  const before = await connectClient(gateway);
  gateway.say("Said before.", { sessionKey: "agent:main:one" });
  await gateway.restart();
  expect(before.events("shutdown")[0]?.payload).toEqual({ reason: "gateway stopping" });
  expect(await before.closed).toEqual({ code: 1012, reason: "service restart" });
  const after = await connectClient(gateway);
  const [bootBefore, bootAfter] = [before, after].map(
    ({ frames }) => frames.find(({ payload }) => payload?.type === "hello-ok")?.payload.server.bootId,
  );
  expect(bootAfter).not.toBe(bootBefore);
  const history = await after.request("chat.history", { sessionKey: "agent:main:one" });
  expect(history.payload.totalMessages).toBe(2);
});

it("is away as long as it is told while agents speak", async () => {
  const clock = createTestClock();
  const gateway = await fakeGateway({ clock });
  const client = await connectClient(gateway);
  const restarted = gateway.restart({ downMs: 5_000 });
  await client.closed;
  await expect(openClient(gateway.url)).rejects.toThrow("ECONNREFUSED");
  gateway.say("Said while away.", { sessionKey: "agent:main:one" });
  clock.advance(5_000);
  await restarted;
  const after = await connectClient(gateway);
  const history = await after.request("chat.history", { sessionKey: "agent:main:one" });
  expect(history.payload.messages.at(-1).content).toEqual([{ type: "text", text: "Said while away." }]);
});

it("says nothing when it crashes, and its runs never end", async () => {
  const gateway = await fakeGateway();
  const client = await connectClient(gateway);
  const run = gateway.run({ sessionKey: "agent:main:one" });
  run.delta("Half a sen");
  await gateway.restart({ crash: true });
  expect((await client.closed).code).toBe(1006);
  expect(client.events("shutdown")).toEqual([]);
  expect(run.running).toBe(false);
  const after = await connectClient(gateway);
  run.final();
  gateway.emit("last", {});
  await after.event("last");
  expect(after.events("chat")).toEqual([]);
  const history = await after.request("chat.history", { sessionKey: "agent:main:one" });
  expect(history.payload).not.toHaveProperty("inFlightRun");
});

it("rejects waiting promises when it is closed", async () => {
  const clock = createTestClock();
  const gateway = await createFakeGateway({ clock });
  const client = await connectClient(gateway);
  const waiting = gateway.nextConnection();
  await Promise.all([gateway.close(), gateway.close()]);
  await expect(waiting).rejects.toMatchObject({ code: "ERR_INBOX_STOPPED" });
  expect((await client.closed).code).toBe(1006);
  expect(clock.pending).toBe(0);
  await gateway[Symbol.asyncDispose]();
});

it("reports a port that is taken", async () => {
  const gateway = await fakeGateway();
  await expect(createFakeGateway({ port: gateway.port })).rejects.toMatchObject({ code: "EADDRINUSE" });
});

it("refuses a message longer than maxPayload", async () => {
  const gateway = await fakeGateway({ maxPayload: 2_000 });
  const client = await openClient(gateway.url);
  client.socket.on("error", () => {});
  client.socket.send(
    JSON.stringify({
      type: "req",
      id: "1",
      method: "connect",
      params: { ...connectParams("x"), pad: "x".repeat(3_000) },
    }),
  );
  expect((await client.closed).code).toBe(1009);
});

it("keeps no process alive once it is closed", () => {
  const script = fileURLToPath(new URL("./open-and-close.ts", import.meta.url));
  const { status, stdout } = spawnSync(process.execPath, ["--import", "tsx", script], {
    encoding: "utf8",
    timeout: 60_000,
  });
  expect([status, stdout.trim()]).toEqual([0, "closed"]);
});

it("names the wrong argument", async () => {
  const gateway = await fakeGateway();
  expect(() => gateway.repeat(0)).toThrow("Expected `times` to be an integer >= 1, got `0` (number)");
  expect(() => gateway.refuse("starting", -1)).toThrow("Expected `times` to be a number >= 0, got `-1` (number)");
  await expect(createFakeGateway({ tickIntervalMs: 0 })).rejects.toThrow(
    "Expected `tickIntervalMs` to be a number > 0",
  );
  await expect(createFakeGateway({ prot: 0 } as object)).rejects.toThrow("got `prot`");
});
