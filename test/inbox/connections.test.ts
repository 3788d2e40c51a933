import { describe, expect, it } from "vitest";
import { createInbox, type ProactiveMessage } from "../../src/index.ts";
import { createFakeGateway } from "../../src/testing/index.ts";

describe("two connections to one Gateway", () => {
  it.each([
    ["without owners", {}, {}],
    ["of two owners", { owner: "a" }, { owner: "b" }],
  ])("are both live and hand over once what both hear: %s", async (_, one, other) => {
    await using gateway = await createFakeGateway();
    const { url, token } = gateway;
    await using inbox = createInbox({
      gateway: [
        { url, token, ...one },
        { url, token, ...other },
      ],
    });
    const messages: ProactiveMessage[] = [];
    inbox.messages$.subscribe((message) => messages.push(message));

    await inbox.start();
    expect(inbox.links().map(({ state }) => state)).toEqual(["live", "live"]);
    gateway.say("Heard by all.", { origin: "agent" });
    gateway.say("Heard by subscribers.", { origin: "heartbeat", sessionKey: "agent:main:team" });
    while (inbox.stats().duplicates === 0 || messages.length < 2) await new Promise(setImmediate);

    expect(messages.map(({ text }) => text).sort()).toEqual(["Heard by all.", "Heard by subscribers."]);
  });
});
