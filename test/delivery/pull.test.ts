import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createInbox, type Inbox } from "../../src/index.ts";
import { createTestClock, type TestClock } from "../../src/testing/index.ts";
import { turn } from "../helpers/turns.ts";

let clock: TestClock;
let inbox: Inbox;

beforeEach(() => {
  clock = createTestClock();
  inbox = createInbox({ clock, random: () => 0 });
});
afterEach(() => inbox.stop({ drainMs: 0 }));

const hear = (runId: string) =>
  inbox.handle({ runId, sessionKey: `agent:main:${runId}`, state: "final", message: { content: `Text of ${runId}` } });

describe("messages()", () => {
  it("hands over one message after the other, in order", async () => {
    const messages = inbox.messages();
    for (const runId of ["a", "b", "c"]) hear(runId);
    const read: string[] = [];
    for await (const { runId } of messages) {
      read.push(runId);
      if (read.length === 3) void inbox.stop();
    }
    expect(read).toEqual(["a", "b", "c"]);
  });

  it("counts a message as delivered when the next one is asked for", async () => {
    const messages = inbox.messages();
    hear("a");
    hear("b");
    await messages.next();
    await turn();
    expect(inbox.stats()).toMatchObject({ delivered: 0, pending: 2 });
    await messages.next();
    await turn();
    expect(inbox.stats()).toMatchObject({ delivered: 1, pending: 1 });
  });

  it("waits for a slow body without a limit", async () => {
    const messages = inbox.messages();
    hear("a");
    await messages.next();
    clock.advance(3_600_000);
    await turn();
    expect(inbox.stats()).toMatchObject({ retried: 0, pending: 1 });
  });

  it("waits for a message that comes later", async () => {
    const messages = inbox.messages();
    const next = messages.next();
    await turn();
    hear("a");
    expect(await next).toMatchObject({ done: false, value: { runId: "a" } });
  });

  it.each([
    ["throws", () => Promise.reject(new Error("body"))],
    ["is left", async () => "break"],
  ])("hands a message over again when its body %s", async (_, body) => {
    hear("before");
    await turn();
    const messages = inbox.messages();
    hear("a");
    await expect(
      (async () => {
        for await (const _message of messages) if ((await body()) === "break") break;
        throw new Error("body");
      })(),
    ).rejects.toThrow("body");
    await turn();
    expect(inbox.stats()).toMatchObject({ delivered: 1, retried: 1, pending: 1 });
    const again = inbox.messages();
    clock.advance(1);
    expect(await again.next()).toMatchObject({ value: { runId: "a" } });
  });

  it("ends when the inbox is stopped while it waits", async () => {
    const messages = inbox.messages();
    const next = messages.next();
    await turn();
    await inbox.stop();
    expect(await next).toEqual({ done: true, value: undefined });
    expect(await messages.next()).toEqual({ done: true, value: undefined });
  });

  it("shares the messages among several loops", async () => {
    const one = inbox.messages();
    const other = inbox.messages();
    hear("a");
    hear("b");
    const first = await one.next();
    const second = other.next();
    await turn();
    await one.return?.();
    await turn();
    clock.advance(1);
    expect([first.value?.runId, (await second).value?.runId]).toEqual(["a", "b"]);
  });

  it("is refused beside a handler", async () => {
    await using busy = createInbox({ deliver: () => {} });
    expect(() => busy.messages()).toThrow(/`messages\(\)` needs an inbox without the option `deliver`/);
  });
});
