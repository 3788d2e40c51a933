import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readChatEvent } from "../../src/protocol/chat-event.ts";
import { readFrame } from "../../src/protocol/frame.ts";

const LIMIT = 1_000;

describe("a frame", () => {
  const event = { event: "chat", payload: { runId: "r" } };
  it("is text, bytes in any form or an object", () => {
    const text = JSON.stringify({ type: "event", ...event, seq: 1 });
    const bytes = Buffer.from(text);
    for (const data of [
      text,
      bytes,
      Uint8Array.from(bytes).buffer,
      [bytes.subarray(0, 9), bytes.subarray(9)],
      JSON.parse(text),
    ]) {
      expect(readFrame(data, LIMIT)).toEqual(event);
    }
  });
  it("that answers a request is ignored", () => {
    expect(readFrame('{"type":"res","id":"1","ok":true}', LIMIT)).toBeUndefined();
  });
  it("that cannot be read is rejected with reason and size", () => {
    expect(readFrame("{", LIMIT)).toEqual({ reason: "not-json", size: 1 });
    expect(readFrame("5", LIMIT)).toEqual({ reason: "not-a-frame", size: 1 });
    expect(readFrame('{"event":"chat"}', LIMIT)).toEqual({ reason: "not-a-frame", size: 16 });
    expect(readFrame('{"type":"event"}', LIMIT)).toEqual({ reason: "not-a-frame", size: 16 });
  });
  it("above the limit in bytes is rejected unparsed", () => {
    expect(readFrame(`"${"ü".repeat(500)}"`, LIMIT)).toMatchObject({ reason: "too-large" });
    expect(readFrame(Buffer.alloc(1_001, "["), LIMIT)).toEqual({ reason: "too-large", size: 1_001 });
    expect(readFrame(`{"type":"event","event":"tick","pad":"${"x".repeat(900)}"}`, LIMIT)).toMatchObject({
      event: "tick",
    });
  });
  it("of any bytes or JSON is read without an error", () => {
    fc.assert(fc.property(fc.uint8Array(), (bytes) => void readFrame(bytes, LIMIT)));
    fc.assert(fc.property(fc.json({ maxDepth: 8 }), (text) => void readFrame(text, 1e6)));
    fc.assert(fc.property(fc.anything(), (data) => void readFrame(data, LIMIT)));
  });
  it("of any depth is read without an error", () => {
    const deep = `${"[".repeat(2_000_000)}${"]".repeat(2_000_000)}`;
    expect(
      readFrame(`{"type":"event","event":"chat","payload":{"runId":"r","state":"delta","message":${deep}}}`, 1e8),
    ).toMatchObject({ event: "chat" });
  });
});

describe("a chat event", () => {
  const good = { runId: "r", state: "delta", seq: 3, sessionKey: "Agent:Main:Main", deltaText: " " };
  it("keeps its session key and has the text of its blocks", () => {
    const message = { role: "assistant", content: [{ type: "text", text: "Hi" }] };
    expect(readChatEvent({ ...good, message, unknown: 1 }, "default")).toEqual({
      ...good,
      messageText: "Hi",
    });
  });
  it("is rejected without a run id or a state", () => {
    expect(readChatEvent({ ...good, runId: undefined }, "default")).toBe("no-run-id");
    expect(readChatEvent({ ...good, runId: "" }, "default")).toBe("no-run-id");
    expect(readChatEvent({ ...good, runId: 5 }, "default")).toBe("bad-run-id");
    expect(readChatEvent({ ...good, runId: "x".repeat(2_000) }, "default")).toBe("bad-run-id");
    expect(readChatEvent({ ...good, state: undefined }, "default")).toBe("bad-state");
    expect(readChatEvent({ ...good, state: "x".repeat(2_000) }, "default")).toBe("bad-state");
    expect(readChatEvent({ ...good, sessionKey: "x".repeat(2_000) }, "default")).toBe("bad-id");
    expect(readChatEvent({ ...good, spawnedBy: "x".repeat(2_000) }, "default")).toBe("bad-id");
    expect(readChatEvent(null, "default")).toBe("not-a-frame");
  });
  it("is read without its fields of the wrong type", () => {
    const odd = {
      runId: "r",
      state: "delta",
      seq: "3",
      sessionKey: 5,
      deltaText: {},
      replace: "yes",
      message: [],
      spawnedBy: 1,
      errorMessage: 2,
    };
    expect(readChatEvent(odd, "default")).toEqual({ runId: "r", state: "delta" });
  });
  it("of any JSON is read without an error", () => {
    fc.assert(fc.property(fc.jsonValue({ maxDepth: 6 }), (payload) => void readChatEvent(payload, "default")));
    fc.assert(
      fc.property(
        fc.record({ runId: fc.anything(), state: fc.anything(), message: fc.anything(), seq: fc.anything() }),
        (payload) => void readChatEvent(payload, "default"),
      ),
    );
  });
});
