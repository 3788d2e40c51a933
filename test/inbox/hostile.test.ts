import { once } from "node:events";
import { afterEach, describe, expect, it } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import {
  createInbox,
  type Inbox,
  type InboxOptions,
  type Rejection,
  type RunOutcome,
  webSocketSource,
} from "../../src/index.ts";
import { createTestClock } from "../../src/testing/clock.ts";

const MiB = 1024 * 1024;
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** An inbox that listens over a real socket to a peer that sends whatever it is told. */
async function listen(options: InboxOptions = {}) {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });
  await once(server, "listening");
  const ws = new WebSocket(`ws://127.0.0.1:${(server.address() as { port: number }).port}`, { maxPayload: 64 * MiB });
  const [[peer]] = (await Promise.all([once(server, "connection"), once(ws, "open")])) as [[WebSocket], unknown];
  const inbox: Inbox = createInbox({ source: webSocketSource(ws), ...options });
  const rejections: Rejection[] = [];
  const outcomes: RunOutcome[] = [];
  inbox.rejections$.subscribe((rejection) => rejections.push(rejection));
  inbox.outcomes$.subscribe((outcome) => outcomes.push(outcome));
  await inbox.start();
  cleanups.push(
    () => inbox.stop({ drainMs: 0 }),
    () => ws.terminate(),
    () => server.close(),
  );
  /** Everything sent so far has been taken in: a good run comes out. */
  const heard = async (marker = "still here") => {
    peer.send(chat({ runId: `ok-${outcomes.length}-${Math.random()}`, state: "final", message: { content: marker } }));
    while (!outcomes.some((outcome) => outcome.status === "dispatched" && outcome.message.text === marker))
      await once(ws, "message");
  };
  return { inbox, peer, rejections, outcomes, heard };
}

const chat = (payload: object) =>
  JSON.stringify({ type: "event", event: "chat", payload: { sessionKey: "agent:main:main", ...payload } });

describe("a hostile peer", () => {
  it("that sends garbage is counted and its next good frame is read", async () => {
    const { inbox, peer, rejections, heard } = await listen();
    for (const garbage of [
      "",
      "{",
      "null",
      "[]",
      "5",
      '"event"',
      "\u0000",
      '{"type":"event"}',
      Buffer.from([0xff, 0xfe, 0x00]),
    ])
      peer.send(garbage);
    for (const payload of [{}, { runId: 7 }, { runId: "r" }, { runId: "r".repeat(5_000), state: "final" }])
      peer.send(chat(payload));
    await heard();
    expect(rejections).toHaveLength(13);
    expect(inbox.stats().rejected).toBe(13);
  });

  it("that sends frames of 25 MiB is refused above the limit by name", async () => {
    const { peer, rejections, outcomes, heard } = await listen();
    const frame = (bytes: number) => {
      const empty = chat({ runId: "big", state: "final", message: { content: "" } });
      return chat({ runId: "big", state: "final", message: { content: "x".repeat(bytes - empty.length) } });
    };
    peer.send(frame(25 * MiB));
    peer.send(frame(25 * MiB + 1));
    await heard();
    expect(rejections).toMatchObject([{ reason: "too-large", size: 25 * MiB + 1 }]);
    expect(outcomes).toMatchObject([{ status: "errored", errorKind: "maxTextBytes" }, { status: "dispatched" }]);
  });

  it("that nests JSON a million deep is read or refused", async () => {
    const { peer, heard, inbox } = await listen();
    const deep = "[".repeat(1_000_000) + "]".repeat(1_000_000);
    peer.send(deep);
    peer.send(`{"type":"event","event":"chat","payload":${deep}}`);
    peer.send(`{"type":"event","event":"chat","payload":{"runId":"r","state":"delta","message":{"content":${deep}}}}`);
    await heard();
    expect(inbox.stats()).toMatchObject({ rejected: 2, liveRuns: 1 });
  });

  it("that never ends a run fills one text up to its limit", async () => {
    const { inbox, peer, outcomes, heard } = await listen({ maxTextBytes: MiB });
    const piece = "x".repeat(64 * 1024);
    for (let seq = 1; seq <= 100; seq++) peer.send(chat({ runId: "endless", seq, state: "delta", deltaText: piece }));
    await heard();
    expect(outcomes[0]).toMatchObject({ status: "errored", errorKind: "maxTextBytes" });
    expect(inbox.stats()).toMatchObject({ overLimit: 1, liveRuns: 0, bufferedBytes: 0, afterEnd: 83 });
  });

  it("that opens a million runs is held to `maxRuns`", () => {
    const inbox = createInbox({ clock: createTestClock(), maxRuns: 1_000, maxSettledRuns: 1_000, maxDedupKeys: 1_000 });
    let overLimit = 0;
    inbox.outcomes$.subscribe((outcome) => {
      if (outcome.status === "errored" && outcome.errorKind === "maxRuns") overLimit += 1;
    });
    for (let i = 0; i < 1_000_000; i++)
      inbox.handle({ runId: `run-${i}`, sessionKey: "k", seq: 1, state: "delta", deltaText: "Hi" });
    inbox.handle({ runId: "late", sessionKey: "k", seq: 1, state: "final", message: { content: "Hello" } });
    const stats = inbox.stats();
    expect(overLimit).toBe(999_000);
    expect(stats).toMatchObject({
      liveRuns: 1_000,
      overLimit: 999_000,
      errored: 999_000,
      settledEvicted: 998_001,
      dedupEvicted: 999_001,
      dispatched: 1,
    });
    return inbox.stop();
  }, 120_000);
});
