import { describe, expect, it } from "vitest";
import { until } from "../helpers/turns.ts";
import { heard, listen, openGateway, topic } from "../recovery/hearing.ts";

const mayWrite = { scopes: ["operator.read", "operator.write"] };

async function open() {
  const fake = await openGateway();
  fake.gateway.transcripts.session(topic(1));
  const hearing = await listen(fake, { ttlMs: 60_000 }, mayWrite);
  /** Answers each question by what `answer` does with its run id. */
  const onQuestion = (answer: (runId: string) => void) =>
    fake.gateway.respond("chat.send", ({ idempotencyKey }) => {
      answer(String(idempotencyKey));
      return { runId: idempotencyKey, status: "started" };
    });
  return { ...fake, ...hearing, hearing, onQuestion };
}

const QUESTION = { sessionKey: topic(1), text: "What is on today?" };

describe("ask", () => {
  it("resolves with the whole answer, which is no message", async () => {
    const { inbox, outcomes, messages } = await open();
    const answer = await inbox.ask(QUESTION);
    expect(answer).toMatchObject({ sessionKey: topic(1), text: "You said: What is on today?" });
    expect(outcomes).toMatchObject([{ status: "discarded", reason: "solicited", runId: answer.runId }]);
    expect(messages).toEqual([]);
  });

  it("resolves with the text of the deltas when the final has none", async () => {
    const { inbox, gateway, onQuestion } = await open();
    onQuestion((runId) => {
      gateway.chat({ runId, sessionKey: topic(1), seq: 1, state: "delta", deltaText: "Two " });
      gateway.chat({ runId, sessionKey: topic(1), seq: 2, state: "delta", deltaText: "parts." });
      gateway.chat({ runId, sessionKey: topic(1), seq: 3, state: "final" });
    });
    await expect(inbox.ask(QUESTION)).resolves.toMatchObject({ text: "Two parts." });
  });

  it.each([
    ["errored", { state: "error", errorMessage: "HTTP 429", errorKind: "rate_limit" }, { errorKind: "rate_limit" }],
    ["aborted", { state: "aborted" }, {}],
    ["merged", { state: "final" }, {}],
  ])("rejects when the run is %s", async (outcome, end, more) => {
    const { inbox, gateway, onQuestion } = await open();
    onQuestion((runId) => gateway.chat({ runId, sessionKey: topic(1), seq: 1, ...end }));
    await expect(inbox.ask({ ...QUESTION, idempotencyKey: "mine" })).rejects.toMatchObject({
      code: "ERR_INBOX_NO_ANSWER",
      details: { runId: "mine", outcome, ...more },
    });
  });

  it("rejects as expired when the run's end is never told", async () => {
    const { inbox, clock, gateway, onQuestion } = await open();
    onQuestion(() => {});
    const asked = inbox.ask(QUESTION);
    asked.catch(() => {});
    await gateway.nextRequest("chat.send");
    clock.advance(60_000);
    await expect(asked).rejects.toMatchObject({ code: "ERR_INBOX_NO_ANSWER", details: { outcome: "expired" } });
  });

  it("finds the answer in the history after a lost connection", async () => {
    const { inbox, gateway, source, comeBack, onQuestion } = await open();
    let runId = "";
    onQuestion((id) => {
      runId = id;
      gateway.chat({ runId, sessionKey: topic(1), seq: 1, state: "delta", deltaText: "It " });
    });
    const asked = inbox.ask(QUESTION);
    await until(() => inbox.runs().length === 1, "the first words");
    await source.cut();
    gateway.say("It is all in the history.", { sessionKey: topic(1), runId });
    await comeBack();
    await expect(asked).resolves.toMatchObject({ runId, sessionKey: topic(1), text: "It is all in the history." });
  });

  it("rejects with the reason of its signal and still discards the answer", async () => {
    const { inbox, gateway, hearing, messages, onQuestion } = await open();
    let runId = "";
    onQuestion((id) => {
      runId = id;
    });
    const control = new AbortController();
    const asked = inbox.ask({ ...QUESTION, signal: control.signal });
    await gateway.nextRequest("chat.send");
    control.abort(new Error("no time"));
    await expect(asked).rejects.toThrow("no time");
    gateway.say("Too late.", { sessionKey: topic(1), runId });
    await heard(gateway, hearing);
    expect(messages).toEqual([]);
    expect(inbox.runs()).toEqual([]);
  });

  it("rejects when the inbox is stopped", async () => {
    const { inbox, gateway, onQuestion } = await open();
    onQuestion(() => {});
    const asked = inbox.ask(QUESTION);
    asked.catch(() => {});
    await gateway.nextRequest("chat.send");
    await inbox.stop();
    await expect(asked).rejects.toMatchObject({ code: "ERR_INBOX_STOPPED" });
    await expect(inbox.ask(QUESTION)).rejects.toMatchObject({ code: "ERR_INBOX_STOPPED" });
  });

  it("asks nothing when its signal is aborted already", async () => {
    const { inbox, gateway } = await open();
    await expect(inbox.ask({ ...QUESTION, signal: AbortSignal.abort(new Error("before")) })).rejects.toThrow("before");
    expect(gateway.requests.some(({ method }) => method === "chat.send")).toBe(false);
  });

  it("refuses what is no signal", async () => {
    const { inbox } = await open();
    const asked = inbox.ask({ ...QUESTION, signal: 5 as never });
    await expect(asked).rejects.toMatchObject({ code: "ERR_INBOX_OPTION", details: { option: "signal" } });
  });
});
