import { describe, expect, it } from "vitest";
import { collavre } from "../../src/collavre.ts";
import { createInbox } from "../../src/inbox.ts";
import type { Ledger } from "../../src/ledger/ledger.ts";
import { GatewayRefusal } from "../../src/testing/index.ts";
import { turn, until } from "../helpers/turns.ts";
import { asked, heard, lastingLedger, listen, openGateway, openHearing, topic } from "./hearing.ts";

const MAIN = "agent:main:main";

/** The sessions of which the ledger knows how far they were heard. */
async function kept(ledger: Ledger): Promise<readonly string[]> {
  const shards = await Promise.all(Array.from({ length: 64 }, (_, shard) => ledger.cursor(`heard one ${shard}`)));
  return shards.flatMap((shard) => Object.keys(JSON.parse(shard ?? "{}") as object));
}

describe("an inbox", () => {
  it("hands over once what it hears as a row and as a final", async () => {
    const { gateway, clock, hearing } = await openHearing({}, [MAIN]);
    const run = gateway.run({ sessionKey: MAIN, origin: "wake" });
    run.delta("Awake.");
    run.final("Awake.");
    await hearing.toldOf(1);
    clock.advance(10_000);
    await heard(gateway, hearing);
    expect(hearing.told()).toEqual([[MAIN, "Awake."]]);
    expect(asked(gateway, "chat.history")).toEqual([]);
    expect(hearing.inbox.stats()).toMatchObject({ alreadyTaken: 0, afterEnd: 0, recovered: 0 });
  });

  it("subscribes to a session when it first hears of it", async () => {
    const { gateway, hearing } = await openHearing();
    const run = gateway.run({ sessionKey: topic(7), origin: "wake" });
    await until(() => gateway.connections()[0]?.subscriptions.has(topic(7)) === true, "the subscription");
    run.delta("Born and heard.");
    run.final();
    await hearing.toldOf(1);
    expect(hearing.told()).toEqual([[topic(7), "Born and heard."]]);
  });

  it("hands over a hidden run whose session it learns from its row", async () => {
    const { gateway, clock, hearing } = await openHearing();
    gateway.say("Over before anybody knew.", { sessionKey: topic(8), origin: "wake" });
    await heard(gateway, hearing);
    expect(hearing.messages).toEqual([]);
    clock.advance(1_000);
    await hearing.toldOf(1);
    clock.advance(10_000);
    await heard(gateway, hearing);
    expect(hearing.told()).toEqual([[topic(8), "Over before anybody knew."]]);
    expect(hearing.messages[0]?.recovered).toBe(false);
  });

  it("ignores sessions that are not ours", async () => {
    const { gateway, clock } = await openGateway();
    for (const key of [MAIN, topic(1), topic(2)]) gateway.transcripts.session(key);
    const session = (key: string) => {
      if (key === MAIN) throw new Error("a bug of the host's");
      return collavre(key);
    };
    const hearing = await listen({ gateway, clock }, { session });
    expect([...(gateway.connections()[0]?.subscriptions ?? [])].sort()).toEqual([topic(1), topic(2)]);
    expect(hearing.inbox.stats().hostErrors).toBe(1);
    gateway.say("For somebody else.", { sessionKey: "agent:main:other", origin: "wake" });
    await heard(gateway, hearing);
    clock.advance(1_000);
    await heard(gateway, hearing);
    expect(hearing.messages).toEqual([]);
    expect(gateway.connections()[0]?.subscriptions.has("agent:main:other")).toBe(false);
  });

  it("asks the host again after a minute whether a session is ours", async () => {
    const { gateway, clock } = await openGateway();
    const ours = new Set([topic(1)]);
    const hearing = await listen({ gateway, clock }, { session: (key) => (ours.has(key) ? {} : undefined) });
    gateway.say("Not ours yet.", { sessionKey: topic(2), origin: "wake" });
    await heard(gateway, hearing);
    ours.add(topic(2));
    clock.advance(60_000);
    const run = gateway.run({ sessionKey: topic(2), origin: "wake" });
    await until(() => gateway.connections()[0]?.subscriptions.has(topic(2)) === true, "the subscription");
    run.final("Ours now.");
    await hearing.toldOf(1);
    expect(hearing.told()).toEqual([[topic(2), "Ours now."]]);
  });

  it("subscribes to thousands of sessions, eight at a time", async () => {
    const { gateway, clock } = await openGateway();
    for (let id = 0; id < 3_000; id += 1) gateway.transcripts.session(topic(id));
    let underway = 0;
    let most = 0;
    let answered = 0;
    gateway.respond("sessions.messages.subscribe", async () => {
      underway += 1;
      most = Math.max(most, underway);
      await turn();
      underway -= 1;
      answered += 1;
      if (answered === 100) gateway.say("Meanwhile.", { sessionKey: topic(1) });
      return { subscribed: true };
    });
    const hearing = await listen({ gateway, clock }, {}, { start: false });
    let heardAfter = 0;
    hearing.inbox.messages$.subscribe(() => {
      heardAfter = answered;
    });
    await hearing.inbox.start();
    expect(answered).toBe(3_000);
    expect(most).toBe(8);
    expect(hearing.told()).toEqual([[topic(1), "Meanwhile."]]);
    expect(heardAfter).toBeLessThan(400);
    expect(hearing.inbox.stats()).toMatchObject({ sessions: 3_000, sessionsOverLimit: 0, recoveryPending: 0 });
  });

  it("subscribes to the latest `maxSessions` and hears rows of the others", async () => {
    const { gateway, clock } = await openGateway();
    for (const id of [1, 2, 3]) {
      gateway.transcripts.session(topic(id));
      clock.advance(1);
    }
    const hearing = await listen({ gateway, clock }, { maxSessions: 2 });
    expect([...(gateway.connections()[0]?.subscriptions ?? [])].sort()).toEqual([topic(2), topic(3)]);
    expect(hearing.inbox.stats()).toMatchObject({ sessions: 2, sessionsOverLimit: 1 });
    gateway.say("Not subscribed to.", { sessionKey: topic(1), origin: "wake" });
    await heard(gateway, hearing);
    clock.advance(1_000);
    await hearing.toldOf(1);
    expect(hearing.told()).toEqual([[topic(1), "Not subscribed to."]]);
  });

  it("subscribes again where it was refused", async () => {
    const { gateway, clock } = await openGateway();
    gateway.transcripts.session(topic(1));
    let refused = 0;
    gateway.respond("sessions.messages.subscribe", () => {
      refused += 1;
      if (refused === 1) throw new GatewayRefusal({ code: "INTERNAL", message: "not now" });
      return { subscribed: true };
    });
    const hearing = await listen({ gateway, clock });
    expect(hearing.inbox.stats()).toMatchObject({ sessions: 0, recoveryFailed: 1 });
    gateway.run({ sessionKey: topic(1) });
    await until(() => refused === 2, "the second request");
    expect(hearing.inbox.stats().sessions).toBe(1);
  });

  it("forgets a session that is deleted", async () => {
    const { gateway, clock } = await openGateway();
    gateway.run({ sessionKey: topic(1), runId: "run-1" }).final("Before.");
    const run = gateway.run({ sessionKey: topic(2) });
    const ledger = lastingLedger(clock);
    const hearing = await listen({ gateway, clock }, { ledger });
    run.final("While it listens.");
    await hearing.source.cut();
    clock.advance(1_000);
    gateway.say("While it was away.", { sessionKey: topic(2) });
    await hearing.comeBack();
    clock.advance(1_000);
    expect(await kept(ledger)).toContain(topic(2));
    gateway.emit("sessions.changed", { sessionKey: topic(2), reason: "delete" });
    await until(() => hearing.inbox.stats().sessions === 1, "the session to be let go");
    clock.advance(1_000);
    expect(await kept(ledger)).toEqual([topic(1)]);
  });

  it("finds a session that moves to the front of the list meanwhile", async () => {
    const { gateway, clock } = await openGateway();
    for (let id = 0; id < 250; id += 1) {
      gateway.transcripts.session(topic(id));
      clock.advance(1);
    }
    const list = (offset: number) => {
      const all = gateway.transcripts.sessions().map(({ key, updatedAt }) => ({ key, updatedAt }));
      return {
        sessions: all.slice(offset, offset + 200),
        hasMore: offset + 200 < all.length,
        nextOffset: offset + 200,
      };
    };
    gateway.respond("sessions.list", ({ offset = 0 }) => {
      const answer = list(offset as number);
      // The very last of them becomes the first before the second page is asked for.
      if (offset === 0) gateway.transcripts.session(topic(0)).updatedAt = clock.now();
      return answer;
    });
    const hearing = await listen({ gateway, clock });
    expect(hearing.inbox.stats().sessions).toBe(250);
    expect(gateway.connections()[0]?.subscriptions.has(topic(0))).toBe(true);
  });

  it("subscribes and hears through the official client", async () => {
    const { gateway } = await openGateway();
    gateway.transcripts.session(MAIN);
    const inbox = createInbox({ gateway: { url: gateway.url, token: gateway.token } });
    const first = new Promise((resolve) => inbox.messages$.subscribe(resolve));
    await inbox.start();
    expect(inbox.links()[0]?.state).toBe("live");
    gateway.say("Through the client.", { sessionKey: MAIN, origin: "wake" });
    await expect(first).resolves.toMatchObject({ text: "Through the client.", sessionKey: MAIN });
    await inbox.stop();
  });
});
