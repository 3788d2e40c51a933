import { describe, expect, it } from "vitest";
import { collavre } from "../../src/collavre.ts";
import type { Ledger } from "../../src/ledger/ledger.ts";
import type { FakeGateway, TestClock } from "../../src/testing/index.ts";
import { automationRow } from "../../src/testing/transcript-rows.ts";
import {
  asked,
  type Hearing,
  heard,
  lastingLedger,
  later,
  listen,
  openGateway,
  openHearing,
  tellRow,
  topic,
} from "./hearing.ts";

describe("a cron job that is bound to a conversation", () => {
  it("is caught up once in the conversation", async () => {
    const { fake, gateway, clock, hearing } = await openHearing({}, [topic(1)]);
    await hearing.source.cut();
    clock.advance(60_000);
    gateway.say("Water the plants.", { sessionKey: topic(1), origin: "cron-current", jobId: "job-1" });
    await hearing.comeBack();
    await later(fake, hearing);
    expect(hearing.told()).toEqual([[topic(1), "Water the plants."]]);
    expect(hearing.inbox.stats().discarded).toBe(1);
  });

  it("is not handed over again when a crash has it read again, and the job is gone", async () => {
    const fake = await openGateway();
    const { gateway, clock } = fake;
    gateway.transcripts.session(topic(1));
    const lasting = lastingLedger(clock);
    let isWritten = true;
    const ledger: Ledger = { ...lasting, setCursor: (...args) => (isWritten ? lasting.setCursor(...args) : undefined) };
    const before = await listen(fake, { ledger });
    isWritten = false;
    clock.advance(60_000);
    gateway.say("Water the plants.", { sessionKey: topic(1), origin: "cron-current", jobId: "job-1" });
    await before.until(() => before.outcomes.length === 2, "both outcomes");
    await before.inbox.stop();
    gateway.respond("cron.list", () => ({ jobs: [] }));
    clock.advance(120_000);
    const after = await listen(fake, { ledger });
    await later(fake, after);
    expect(after.told()).toEqual([]);
    expect(after.inbox.stats()).toMatchObject({ recovered: expect.toSatisfy((count: number) => count > 0) });
  });

  it("is looked for in the conversation as far back as it can be, and no further", async () => {
    const fake = await openGateway();
    const { gateway, clock } = fake;
    for (let n = 0; n < 200; n += 1) gateway.say(`Long ago ${n}.`, { sessionKey: topic(1) });
    const hearing = await listen(fake);
    await hearing.source.cut();
    clock.advance(600_000);
    gateway.say("Water the plants.", { sessionKey: topic(1), origin: "cron-current", jobId: "job-1" });
    for (let n = 0; n < 60; n += 1) gateway.say(`Reply ${n}.`, { sessionKey: topic(1) });
    await hearing.comeBack();
    await later(fake, hearing);
    expect(hearing.told().filter(([, words]) => words === "Water the plants.")).toEqual([
      [topic(1), "Water the plants."],
    ]);
    const read = asked(gateway, "chat.history").filter(({ sessionKey }) => sessionKey === topic(1));
    expect(Math.max(...read.map(({ limit, offset = 0 }) => Number(limit) + Number(offset)))).toBeLessThan(310);
  });

  /** A firing of which the Gateway puts no copy into the conversation, as with delivery mode none. */
  function fire(
    { gateway, clock }: { gateway: FakeGateway; clock: TestClock },
    text: string,
    runId = "run-9",
  ): () => void {
    const firedAt = clock.now();
    const job = { id: "job-9", sessionTarget: "current", sessionKey: topic(1), delivery: { mode: "none" } };
    gateway.respond("cron.list", () => ({ jobs: [job] }));
    gateway.emit("cron", { jobId: "job-9", action: "started", job, runAtMs: firedAt });
    gateway.run({ sessionKey: `agent:main:cron:job-9:run:life-${runId}`, runId }).final(text);
    return () => gateway.emit("cron", { jobId: "job-9", action: "finished", job, status: "ok", runAtMs: firedAt });
  }

  it.each([
    ["session: collavre", { session: collavre }],
    ["every key", {}],
  ])("is handed over in the conversation without a row there: %s is ours", async (_, options) => {
    const { fake, hearing } = await openHearing(options, [topic(1)]);
    fire(fake, "Water the plants.")();
    await hearing.toldOf(1);
    await later(fake, hearing);
    expect(hearing.told()).toEqual([[topic(1), "Water the plants."]]);
    expect(hearing.messages[0]).toMatchObject({ runId: "run-9", origin: "cron" });
    expect(hearing.outcomes).toHaveLength(1);
  });

  it("waits a minute at most for the end of the job", async () => {
    const { fake, clock, hearing } = await openHearing({}, [topic(1)]);
    fire(fake, "Water the plants.");
    await heard(fake.gateway, hearing);
    clock.advance(50_000);
    await later(fake, hearing);
    expect(hearing.told()).toEqual([]);
    clock.advance(5_000);
    await hearing.toldOf(1);
    expect(hearing.told()).toEqual([[topic(1), "Water the plants."]]);
  });

  it("is handed over when the inbox stops while it waits", async () => {
    const { fake, gateway, hearing } = await openHearing({}, [topic(1)]);
    fire(fake, "Water the plants.");
    await heard(gateway, hearing);
    await hearing.inbox.stop();
    expect(hearing.told()).toEqual([[topic(1), "Water the plants."]]);
  });

  it("is caught up once in the conversation without a row there", async () => {
    const { fake, gateway, clock, hearing } = await openHearing({ session: collavre }, [topic(1)]);
    await hearing.source.cut();
    clock.advance(60_000);
    gateway.say("Water the plants.", { sessionKey: topic(1), origin: "cron-isolated", jobId: "job-9" });
    const job = { id: "job-9", sessionTarget: "current", sessionKey: topic(1), delivery: { mode: "none" } };
    gateway.respond("cron.list", () => ({ jobs: [job] }));
    await hearing.comeBack();
    await later(fake, hearing);
    expect(hearing.told()).toEqual([[topic(1), "Water the plants."]]);
  });

  /** The copy that a Gateway puts into the conversation. */
  const copyOf = (words: string, at: number) => automationRow(words, "job-9", `cron:job-9:${at}`, at);

  it.each([0, 90_000])("is handed over once where an outage of %i ms hid the copy of a final", async (awayMs) => {
    const { fake, gateway, clock, hearing } = await openHearing({}, [topic(1)]);
    fire(fake, "Water the plants.");
    await heard(gateway, hearing);
    await hearing.source.cut();
    clock.advance(100);
    const copiedAt = clock.now();
    gateway.transcripts.add(topic(1), copyOf("Water the plants.", copiedAt));
    clock.advance(awayMs);
    await hearing.comeBack();
    await later(fake, hearing);
    clock.advance(60_000);
    await later(fake, hearing);
    expect(hearing.told()).toEqual([[topic(1), "Water the plants."]]);
    expect(hearing.messages[0]?.runId).toBe(`cron:job-9:${copiedAt}`);
  });

  it.each([0, 90_000])("is handed over once where an outage of %i ms hid that there is no copy", async (awayMs) => {
    const { fake, gateway, clock, hearing } = await openHearing({}, [topic(1)]);
    fire(fake, "Water the plants.");
    await heard(gateway, hearing);
    await hearing.source.cut();
    clock.advance(100 + awayMs);
    await hearing.comeBack();
    await later(fake, hearing);
    expect(hearing.told()).toEqual([[topic(1), "Water the plants."]]);
    expect(hearing.messages[0]?.runId).toBe("run-9");
  });

  /** A firing with a copy whose row is sent after the end of the job. Resolves with the time of the copy. */
  async function fireWithLateRow(
    fake: { gateway: FakeGateway; clock: TestClock },
    hearing: Hearing,
    runId = "run-9",
  ): Promise<number> {
    const { gateway, clock } = fake;
    const finish = fire(fake, "Water the plants.", runId);
    const copiedAt = clock.now();
    const { row: message, id, seq } = gateway.transcripts.add(topic(1), copyOf("Water the plants.", copiedAt));
    finish();
    await heard(gateway, hearing);
    gateway.emit("session.message", { sessionKey: topic(1), message, messageId: id, messageSeq: seq });
    await later(fake, hearing);
    return copiedAt;
  }

  it("is handed over once where its copy is sent after the end of the job", async () => {
    const { fake, hearing } = await openHearing({}, [topic(1)]);
    const copiedAt = await fireWithLateRow(fake, hearing);
    expect(hearing.told()).toEqual([[topic(1), "Water the plants."]]);
    expect(hearing.messages[0]?.runId).toBe(`cron:job-9:${copiedAt}`);
  });

  it("is handed over without a copy after one whose copy was sent late", async () => {
    const { fake, hearing } = await openHearing({}, [topic(1)]);
    await fireWithLateRow(fake, hearing);
    fire(fake, "Water the plants.", "run-10")();
    await later(fake, hearing);
    expect(hearing.told()).toHaveLength(2);
    expect(hearing.messages[1]).toMatchObject({ runId: "run-10", sessionKey: topic(1) });
  });

  it("is handed over each time it fires with the same words", async () => {
    const { fake, hearing } = await openHearing({}, [topic(1)]);
    const copies = [await fireWithLateRow(fake, hearing), await fireWithLateRow(fake, hearing, "run-10")];
    expect(hearing.messages.map(({ runId }) => runId)).toEqual(copies.map((at) => `cron:job-9:${at}`));
  });

  it("is looked for again where the connection is lost at the end of the job", async () => {
    const { fake, gateway, clock, hearing } = await openHearing({}, [topic(1)]);
    clock.advance(60_000);
    const finish = fire(fake, "Water the plants.");
    gateway.transcripts.add(topic(1), copyOf("Water the plants.", clock.now()));
    finish();
    await gateway.flushed();
    await hearing.source.cut();
    await hearing.comeBack();
    await later(fake, hearing);
    expect(hearing.told()).toEqual([[topic(1), "Water the plants."]]);
  });

  it("is handed over once by who only listens where its copy is sent late", async () => {
    const fake = await openGateway();
    const hearing = await listen(fake, {}, { canAsk: false });
    await fireWithLateRow(fake, hearing);
    expect(hearing.told()).toEqual([[topic(1), "Water the plants."]]);
  });

  it("is handed over once where it is caught up before its copy is written", async () => {
    const { fake, gateway, clock, hearing } = await openHearing({}, [topic(1)]);
    await hearing.source.cut();
    clock.advance(100);
    const finish = fire(fake, "Water the plants.");
    const job = { id: "job-9", sessionTarget: "current", sessionKey: topic(1), state: { runningAtMs: clock.now() } };
    gateway.respond("cron.list", () => ({ jobs: [job] }));
    await hearing.comeBack();
    await later(fake, hearing);
    expect(hearing.told()).toEqual([]);
    tellRow(gateway, topic(1), copyOf("Water the plants.", clock.now()));
    finish();
    await later(fake, hearing);
    clock.advance(60_000);
    await later(fake, hearing);
    expect(hearing.told()).toEqual([[topic(1), "Water the plants."]]);
  });

  it.each(["bound", "isolated"])("waits for the jobs after an outage in which it was made: %s", async (target) => {
    const { fake, gateway, clock, hearing } = await openHearing({}, [topic(1)]);
    await hearing.source.cut();
    clock.advance(100);
    const isBound = target === "bound";
    const job = {
      id: "job-9",
      sessionTarget: isBound ? "current" : "isolated",
      ...(isBound && { sessionKey: topic(1) }),
    };
    let answer: (() => void) | undefined;
    gateway.respond("cron.list", () => new Promise((resolve) => (answer = () => resolve({ jobs: [job] }))));
    void hearing.source.comeBack();
    await hearing.until(() => answer !== undefined, "the question for the jobs");
    const own = "agent:main:cron:job-9:run:life-9";
    gateway.run({ sessionKey: own, runId: "run-9" }).final("Water the plants.");
    await heard(gateway, hearing);
    expect(hearing.told()).toEqual([]);
    if (isBound) tellRow(gateway, topic(1), copyOf("Water the plants.", clock.now()));
    await heard(gateway, hearing);
    answer?.();
    await later(fake, hearing);
    expect(hearing.told()).toEqual([[isBound ? topic(1) : own, "Water the plants."]]);
    expect(hearing.outcomes).toHaveLength(isBound ? 2 : 1);
  });

  it("is handed over under its cron key where the conversation is not ours", async () => {
    const { fake, hearing } = await openHearing({ session: (key) => (key.includes(":cron:") ? {} : undefined) });
    fire(fake, "Water the plants.")();
    await hearing.toldOf(1);
    expect(hearing.told()).toEqual([["agent:main:cron:job-9:run:life-run-9", "Water the plants."]]);
  });
});
