import { describe, expect, it } from "vitest";
import { type Attachment, collavre } from "../../src/index.ts";
import { createFakeGateway, createTestClock, type FakeGateway, type TestClock } from "../../src/testing/index.ts";
import { until } from "../helpers/turns.ts";
import { asked, heard, lastingLedger, listen, NOON, openGateway, topic } from "./hearing.ts";

const PICTURE = { name: "dot.png", content: new Uint8Array([137, 80, 78, 71]) };
const REPORT = { name: "report.txt", content: "A report." };

/** What is known of the files before the Gateway has given them out. */
const NAMED = [{ kind: "image", name: "dot.png" }];
const KEPT = [{ id: expect.any(String), kind: "image", name: "dot.png", type: "image/png", size: 4 }];

async function openSlowGateway(filesMs: number): Promise<{ gateway: FakeGateway; clock: TestClock }> {
  const clock = createTestClock(NOON);
  return { gateway: await createFakeGateway({ clock, filesMs }), clock };
}

function textsAndFiles(messages: readonly { text: string; attachments: readonly Attachment[] }[]) {
  return messages.map(({ text, attachments }) => [text, attachments]);
}

describe("attachments that are heard live", () => {
  it("hands over an image alone", async () => {
    const { gateway, clock } = await openGateway();
    const hearing = await listen({ gateway, clock });
    gateway.say("", { sessionKey: topic(1), origin: "send", files: [PICTURE], chunks: 0 });
    await heard(gateway, hearing);
    clock.advance(1_000);
    await hearing.toldOf(1);
    expect(textsAndFiles(hearing.messages)).toEqual([["", KEPT]]);
    expect(hearing.messages[0]?.recovered).toBe(false);
    expect(hearing.outcomes).toHaveLength(1);
  });

  it("hands over a text with its files", async () => {
    const { gateway, clock } = await openGateway();
    const hearing = await listen({ gateway, clock });
    gateway.say("Two files.", { sessionKey: topic(1), origin: "send", files: [PICTURE, REPORT] });
    await heard(gateway, hearing);
    clock.advance(1_000);
    await hearing.toldOf(1);
    const report = { id: expect.any(String), kind: "file", name: "report.txt", type: "text/plain", size: 9 };
    expect(textsAndFiles(hearing.messages)).toEqual([["Two files.", [...KEPT, report]]]);
  });

  it("waits for a file that the Gateway gives out late", async () => {
    const { gateway, clock } = await openSlowGateway(4_500);
    const hearing = await listen({ gateway, clock });
    gateway.say("Large.", { sessionKey: topic(1), origin: "send", files: [PICTURE] });
    await heard(gateway, hearing);
    for (let tries = 1; tries <= 5; tries++) {
      const before = asked(gateway, "chat.history").length;
      clock.advance(1_000);
      await until(() => asked(gateway, "chat.history").length > before, "another look");
      await heard(gateway, hearing);
      if (tries < 5) expect(hearing.messages).toEqual([]);
    }
    await hearing.toldOf(1);
    expect(textsAndFiles(hearing.messages)).toEqual([["Large.", KEPT]]);
    await gateway.close();
  });

  it("names a file that the Gateway never gives out", async () => {
    const { gateway, clock } = await openSlowGateway(3_600_000);
    const hearing = await listen({ gateway, clock });
    gateway.say("Lost.", { sessionKey: topic(1), origin: "send", files: [PICTURE] });
    await heard(gateway, hearing);
    for (let seconds = 0; seconds < 12 && hearing.messages.length === 0; seconds++) {
      clock.advance(1_000);
      await heard(gateway, hearing);
    }
    expect(textsAndFiles(hearing.messages)).toEqual([["Lost.", NAMED]]);
    await gateway.close();
  });

  it.each(["agent", "cron", "cron-isolated"] as const)("names at once the files of a run by %s", async (origin) => {
    const { gateway, clock } = await openGateway();
    const hearing = await listen({ gateway, clock });
    gateway.say("Here.", { sessionKey: topic(1), origin, files: [PICTURE] });
    await hearing.toldOf(1);
    expect(textsAndFiles(hearing.messages)).toEqual([["Here.", NAMED]]);
  });

  it.each(["cron", "wake", "heartbeat"] as const)("names the files of a hidden run by %s", async (origin) => {
    const { gateway, clock } = await openGateway();
    const hearing = await listen({ gateway, clock });
    gateway.say("Hidden.", { origin, files: [PICTURE], hidden: true });
    await heard(gateway, hearing);
    clock.advance(1_000);
    await hearing.toldOf(1);
    expect(textsAndFiles(hearing.messages)).toEqual([["Hidden.", NAMED]]);
  });

  it.each(["agent", "send"] as const)("has each file once when the Gateway repeats itself (%s)", async (origin) => {
    const { gateway, clock } = await openGateway();
    const hearing = await listen({ gateway, clock });
    gateway.repeat(3);
    gateway.say("Again.", { sessionKey: topic(1), origin, files: [PICTURE, REPORT] });
    await heard(gateway, hearing);
    clock.advance(1_000);
    await hearing.toldOf(1);
    expect(hearing.messages[0]?.attachments.map(({ name }) => name)).toEqual(["dot.png", "report.txt"]);
    clock.advance(10_000);
    await heard(gateway, hearing);
    expect(hearing.messages).toHaveLength(1);
  });

  it("puts a reminder's files into its conversation", async () => {
    const { gateway, clock } = await openGateway();
    const hearing = await listen({ gateway, clock });
    gateway.say("Remember.", { sessionKey: topic(1), origin: "cron-current", files: [PICTURE] });
    await heard(gateway, hearing);
    clock.advance(5_000);
    await hearing.toldOf(1);
    expect(hearing.told()).toEqual([[topic(1), "Remember."]]);
  });

  it("names the files of a reminder without a copy, where only conversations are ours", async () => {
    const { gateway, clock } = await openGateway();
    const hearing = await listen({ gateway, clock }, { session: collavre });
    const job = { id: "j", sessionTarget: "current", sessionKey: topic(1) };
    gateway.emit("cron", { jobId: "j", action: "added", job });
    const of = { runId: "r1", sessionKey: "agent:main:cron:j:run:s", agentId: "main" };
    gateway.emit("agent", { ...of, stream: "assistant", data: { mediaUrls: ["./dot.png"] } });
    gateway.chat({ ...of, seq: 1, state: "final", message: { role: "assistant", content: "Remember." } });
    gateway.emit("cron", { jobId: "j", action: "finished", job });
    await hearing.toldOf(1);
    expect(hearing.told()).toEqual([[topic(1), "Remember."]]);
    expect(textsAndFiles(hearing.messages)).toEqual([["Remember.", NAMED]]);
  });

  it("takes the files of a final that has them without a request", async () => {
    const { gateway, clock } = await openGateway();
    const hearing = await listen({ gateway, clock });
    const before = gateway.requests.length;
    const image = { type: "image", data: "iVBORw0KGgo=", mimeType: "image/png" };
    gateway.chat({
      runId: "r1",
      sessionKey: topic(1),
      seq: 1,
      state: "final",
      message: { role: "assistant", content: [image, { type: "canvas", view: {} }] },
    });
    await hearing.toldOf(1);
    const attachments = [{ id: expect.any(String), kind: "image", type: "image/png" }, { kind: "other" }];
    expect(textsAndFiles(hearing.messages)).toEqual([["", attachments]]);
    expect(gateway.requests).toHaveLength(before);
  });

  it("hands over an image that comes as a second final of its run", async () => {
    const { gateway, clock } = await openGateway();
    const hearing = await listen({ gateway, clock });
    const final = (seq: number, content: unknown) =>
      gateway.chat({
        runId: "r1",
        sessionKey: topic(1),
        seq,
        state: "final",
        message: { role: "assistant", content, usage: {} },
      });
    final(1, "The first.");
    final(2, [{ type: "image", artifactId: "a1", alt: "dot.png" }]);
    final(3, [{ type: "image", artifactId: "a1", alt: "dot.png" }]);
    await heard(gateway, hearing);
    const attachments = [{ id: expect.any(String), kind: "image", name: "dot.png" }];
    expect(textsAndFiles(hearing.messages)).toEqual([
      ["The first.", []],
      ["", attachments],
    ]);
  });

  it("hands the text over when the history cannot be read", async () => {
    const { gateway, clock } = await openGateway();
    const hearing = await listen({ gateway, clock });
    gateway.respond("chat.history", () => {
      throw new Error("no");
    });
    gateway.say("All the same.", { sessionKey: topic(1), origin: "send", files: [PICTURE] });
    await heard(gateway, hearing);
    clock.advance(1_000);
    await hearing.toldOf(1);
    expect(textsAndFiles(hearing.messages)).toEqual([["All the same.", NAMED]]);
  });

  it("names the files for a socket that only listens", async () => {
    const { gateway, clock } = await openGateway();
    const hearing = await listen({ gateway, clock }, {}, { canAsk: false });
    gateway.say("Deaf.", { sessionKey: topic(1), origin: "send", files: [PICTURE] });
    await hearing.toldOf(1);
    expect(textsAndFiles(hearing.messages)).toEqual([["Deaf.", NAMED]]);
  });

  it("answers ask() with an image alone", async () => {
    const { gateway, clock } = await openGateway();
    const hearing = await listen({ gateway, clock }, {}, { scopes: ["operator.read", "operator.write"] });
    gateway.respond("chat.send", ({ idempotencyKey, sessionKey }) => {
      const runId = String(idempotencyKey);
      queueMicrotask(() =>
        gateway.say("", { runId, sessionKey: String(sessionKey), origin: "send", files: [PICTURE], chunks: 0 }),
      );
      return { runId, status: "started" };
    });
    const answer = hearing.inbox.ask({ sessionKey: topic(1), text: "Draw a dot." });
    await gateway.nextRequest("chat.send");
    await heard(gateway, hearing);
    clock.advance(1_000);
    expect(await answer).toMatchObject({ text: "", attachments: KEPT });
    expect(hearing.messages).toEqual([]);
  });
});

describe("after an outage", () => {
  it("hands over what was said with files meanwhile", async () => {
    const { gateway, clock } = await openGateway();
    const hearing = await listen({ gateway, clock });
    await hearing.source.cut();
    clock.advance(60_000);
    gateway.say("", { sessionKey: topic(1), origin: "send", files: [PICTURE], chunks: 0 });
    gateway.say("Both.", { sessionKey: topic(2), origin: "send", files: [PICTURE] });
    gateway.say("Named.", { sessionKey: topic(3), files: [PICTURE] });
    await hearing.comeBack();
    await hearing.toldOf(3);
    expect(textsAndFiles(hearing.messages.toSorted((a, b) => a.sessionKey.localeCompare(b.sessionKey)))).toEqual([
      ["", KEPT],
      ["Both.", KEPT],
      ["Named.", NAMED],
    ]);
    expect(hearing.messages.every(({ recovered }) => recovered)).toBe(true);
  });

  it("does not keep words back for a file that an outage may have hidden", async () => {
    const { gateway, clock } = await openGateway();
    const hearing = await listen({ gateway, clock });
    const run = gateway.run({ sessionKey: topic(1), runId: "run-1", origin: "send" });
    run.delta("Here it is.");
    await heard(gateway, hearing);
    await hearing.source.cut();
    clock.advance(60_000);
    await hearing.comeBack();
    run.final();
    await hearing.toldOf(1);
    expect(textsAndFiles(hearing.messages)).toEqual([["Here it is.", []]]);
  });

  it("finds an image alone that an outage hid", async () => {
    const { gateway, clock } = await openGateway();
    const hearing = await listen({ gateway, clock });
    const run = gateway.run({ sessionKey: topic(1), runId: "run-1", origin: "send" });
    await heard(gateway, hearing);
    await hearing.source.cut();
    clock.advance(60_000);
    await hearing.comeBack();
    const image = {
      type: "image",
      artifactId: "a-1",
      url: "/api/a-1",
      alt: "dot.png",
      mimeType: "image/png",
      sizeBytes: 4,
    };
    const row = { role: "assistant", content: [image], stopReason: "stop" };
    gateway.transcripts.add(topic(1), row, { runId: "run-1" });
    run.final("");
    await heard(gateway, hearing);
    clock.advance(1_000);
    await hearing.toldOf(1);
    expect(textsAndFiles(hearing.messages)).toEqual([["", KEPT]]);
  });

  it("waits for the file of an image alone that has just been sent", async () => {
    const { gateway, clock } = await openSlowGateway(2_500);
    const hearing = await listen({ gateway, clock });
    await hearing.source.cut();
    clock.advance(60_000);
    gateway.say("", { sessionKey: topic(1), origin: "send", files: [PICTURE], chunks: 0 });
    await hearing.comeBack();
    for (let seconds = 0; seconds < 5 && hearing.messages.length === 0; seconds++) {
      clock.advance(1_000);
      await heard(gateway, hearing);
    }
    expect(textsAndFiles(hearing.messages)).toEqual([["", KEPT]]);
    expect(hearing.outcomes).toHaveLength(1);
    await gateway.close();
  });

  it("hands over once what was waiting for its file when the link broke", async () => {
    const { gateway, clock } = await openGateway();
    const hearing = await listen({ gateway, clock });
    gateway.say("Interrupted.", { sessionKey: topic(1), origin: "send", files: [PICTURE] });
    await heard(gateway, hearing);
    await hearing.source.cut();
    await hearing.comeBack();
    await hearing.toldOf(1);
    clock.advance(10_000);
    await heard(gateway, hearing);
    expect(textsAndFiles(hearing.messages)).toEqual([["Interrupted.", KEPT]]);
  });

  it("hands over once what was waiting for its file when the process ended", async () => {
    const { gateway, clock } = await openGateway();
    const ledger = lastingLedger(clock);
    const first = await listen({ gateway, clock }, { ledger });
    gateway.say("Restarted.", { sessionKey: topic(1), origin: "send", files: [PICTURE] });
    await heard(gateway, first);
    await first.inbox.stop();
    expect(first.messages).toEqual([]);
    const second = await listen({ gateway, clock }, { ledger });
    await second.toldOf(1);
    expect(textsAndFiles(second.messages)).toEqual([["Restarted.", KEPT]]);
  });
});

it("reads a Gateway of before 2026.8, which gives out none", async () => {
  const clock = createTestClock(NOON);
  const gateway = await createFakeGateway({ clock, generation: "2026.5" });
  const hearing = await listen({ gateway, clock });
  gateway.say("Old.", { sessionKey: topic(1), origin: "send", files: [PICTURE] });
  await hearing.toldOf(1);
  expect(textsAndFiles(hearing.messages)).toEqual([["Old.", NAMED]]);
  await gateway.close();
});

it("takes no other run's row for that of an image alone, where rows name no run", async () => {
  const clock = createTestClock(NOON);
  const gateway = await createFakeGateway({ clock, generation: "2026.5" });
  const hearing = await listen({ gateway, clock });
  gateway.say("Another message.", { sessionKey: topic(1) });
  await hearing.toldOf(1);
  const of = { runId: "r1", sessionKey: topic(1) };
  gateway.emit("agent", { ...of, stream: "assistant", data: { mediaUrls: ["./dot.png"] } });
  gateway.chat({ ...of, seq: 1, state: "final" });
  await heard(gateway, hearing);
  for (let seconds = 0; seconds < 12 && hearing.messages.length === 1; seconds++) {
    clock.advance(1_000);
    await heard(gateway, hearing);
  }
  expect(textsAndFiles(hearing.messages)).toEqual([
    ["Another message.", []],
    ["", NAMED],
  ]);
  await gateway.close();
});

it("keeps no more than 100 names of a run", async () => {
  const { gateway, clock } = await openGateway();
  const hearing = await listen({ gateway, clock }, {}, { canAsk: false });
  const mediaUrls = Array.from({ length: 5_000 }, (_, i) => `./${"x".repeat(300)}${i}.png`);
  const of = { runId: "r1", sessionKey: topic(1) };
  for (let i = 0; i < 3; i++) gateway.emit("agent", { ...of, stream: "assistant", data: { mediaUrls } });
  gateway.chat({ ...of, seq: 1, state: "final" });
  await hearing.toldOf(1);
  expect(hearing.messages[0]?.attachments).toHaveLength(100);
  expect(hearing.messages[0]?.attachments[0]?.name).toHaveLength(255);
});
