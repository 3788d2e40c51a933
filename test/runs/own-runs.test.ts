import { describe, expect, it } from "vitest";
import { createInbox } from "../../src/inbox.ts";
import { asked, heard, lastingLedger, listen, openGateway, topic } from "../recovery/hearing.ts";

const mayWrite = { scopes: ["operator.read", "operator.write"] };

describe("send", () => {
  it("asks an agent and discards the answer as solicited", async () => {
    const fake = await openGateway();
    fake.gateway.transcripts.session(topic(1));
    const hearing = await listen(fake, {}, mayWrite);
    const { runId } = await hearing.inbox.send({ sessionKey: topic(1), text: "Hello?" });
    expect(asked(fake.gateway, "chat.send")).toEqual([
      { sessionKey: topic(1), message: "Hello?", idempotencyKey: runId },
    ]);
    fake.gateway.say("Unasked.", { sessionKey: topic(1) });
    await hearing.toldOf(1);
    await heard(fake.gateway, hearing);
    fake.clock.advance(5_000);
    await heard(fake.gateway, hearing);
    expect(hearing.told()).toEqual([[topic(1), "Unasked."]]);
    expect(hearing.outcomes).toContainEqual(expect.objectContaining({ reason: "solicited", runId }));
  });

  it("keeps the given key and solicits it before sending", async () => {
    const fake = await openGateway();
    const hearing = await listen(fake, {}, mayWrite);
    fake.gateway.respond("chat.send", () => {
      // The first words of the run overtake the answer.
      fake.gateway.say("At once.", { sessionKey: topic(1), runId: "my-key" });
      return { runId: "my-key", status: "started" };
    });
    await expect(hearing.inbox.send({ sessionKey: topic(1), text: "Hi", idempotencyKey: "my-key" })).resolves.toEqual({
      runId: "my-key",
    });
    await heard(fake.gateway, hearing);
    expect(hearing.outcomes).toMatchObject([{ status: "discarded", reason: "solicited", runId: "my-key" }]);
  });

  it("rejects with the missing scope and its remedy", async () => {
    const fake = await openGateway();
    const hearing = await listen(fake);
    const sent = hearing.inbox.send({ sessionKey: topic(1), text: "Hello?" });
    await expect(sent).rejects.toMatchObject({ code: "ERR_INBOX_SCOPE", details: { scope: "operator.write" } });
    await expect(sent).rejects.toThrow(/scopes: \["operator\.read", "operator\.write"\]/);
  });

  it.each([
    [{ text: "Hi" }, /`sessionKey` to be a string that is not blank/],
    [{ sessionKey: " ", text: "Hi" }, /`sessionKey`/],
    [{ sessionKey: "a", text: " " }, /`text` to be a string that is not blank/],
    [{ sessionKey: "a", text: 5 }, /`text`/],
    [{ sessionKey: "a", text: "Hi", idempotencyKey: "" }, /`idempotencyKey`/],
    [{ sessionKey: "a", text: "Hi", gateway: "two" }, /`gateway` to be one of "one", got `two`/],
    [undefined, /`request` to be an object/],
  ])("refuses %j at once", async (request, message) => {
    const fake = await openGateway();
    const hearing = await listen(fake, {}, mayWrite);
    const sent = hearing.inbox.send(request as never);
    await expect(sent).rejects.toMatchObject({ code: "ERR_INBOX_OPTION" });
    await expect(sent).rejects.toThrow(message);
    expect(asked(fake.gateway, "chat.send")).toEqual([]);
  });

  it("rejects when there is nobody to ask", async () => {
    const fake = await openGateway();
    const request = { sessionKey: topic(1), text: "Hello?" };
    const deaf = await listen(fake, {}, { canAsk: false });
    await expect(deaf.inbox.send(request)).rejects.toMatchObject({ code: "ERR_INBOX_NO_LINK" });
    const away = await listen(fake, {}, mayWrite);
    await away.source.cut();
    await expect(away.inbox.send(request)).rejects.toMatchObject({ code: "ERR_INBOX_NO_LINK" });
    await away.inbox.stop();
    await expect(away.inbox.send(request)).rejects.toMatchObject({ code: "ERR_INBOX_STOPPED" });
    await expect(createInbox().send(request)).rejects.toMatchObject({ code: "ERR_INBOX_NO_LINK" });
  });
});

describe("a run that was solicited before a restart", () => {
  it("is still discarded when its answer is found in the history", async () => {
    const fake = await openGateway();
    const ledger = lastingLedger(fake.clock);
    const first = await listen(fake, { ledger });
    first.inbox.solicit("mine");
    await first.inbox.stop();
    fake.clock.advance(60_000);
    fake.gateway.say("The answer.", { sessionKey: topic(1), runId: "mine" });
    fake.gateway.say("Something else.", { sessionKey: topic(2) });
    const second = await listen(fake, { ledger });
    await second.toldOf(1);
    expect(second.told()).toEqual([[topic(2), "Something else."]]);
    expect(second.outcomes).toContainEqual(expect.objectContaining({ reason: "solicited", runId: "mine" }));
  });
});
