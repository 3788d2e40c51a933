import { filter, firstValueFrom } from "rxjs";
import { describe, expect, it, onTestFinished } from "vitest";
import { createInbox } from "../../src/inbox.ts";
import { createFakeGateway } from "../../src/testing/index.ts";
import type { ProactiveMessage, RunOutcome } from "../../src/types.ts";
import { type Expectation, expectations, expectedAt } from "./expected.ts";
import { byRun, expectOneHandoverEach, layer, told } from "./play.ts";

/** One of each kind of end, a long reply, ten at once, and a recording whose own connection was lost on the way. */
const chosen = [
  "e-chat-inject",
  "f-long-reply",
  "g4-cut-mid-stream",
  "h1-abort-agent-run",
  "i-no-reply",
  "j6-subagent.subscribed",
  "k2-ten-at-once",
  "m1-reconnect-while-running",
] as const;

const token = "the token of this test";
const lastRun = { runId: "after-the-recording", sessionKey: "agent:main:after", text: "That was all." };

async function playOverSocket(recording: string) {
  const gateway = await createFakeGateway({ token });
  onTestFinished(() => gateway.close());
  const delivered: ProactiveMessage[] = [];
  const outcomes: RunOutcome[] = [];
  const messages: ProactiveMessage[] = [];
  const inbox = createInbox({
    gateway: { url: gateway.url, token },
    deliver: (message) => void delivered.push(message),
  });
  onTestFinished(() => inbox.stop());
  inbox.outcomes$.subscribe((outcome) => outcomes.push(outcome));
  inbox.messages$.subscribe((message) => messages.push(message));
  await inbox.start();
  await gateway.play(recording);
  // One connection keeps its order: once this run is heard, all of the recording has been.
  const heardLast = firstValueFrom(inbox.messages$.pipe(filter(({ runId }) => runId === lastRun.runId)));
  gateway.chat({ ...lastRun, seq: 1, state: "final", message: { role: "assistant", content: lastRun.text } });
  await heardLast;
  const stats = inbox.stats();
  await inbox.stop();
  return { outcomes, messages, delivered, stats };
}

// The official client takes a second to come back after a lost connection.
describe("a recording over a real socket with the official client", () => {
  it.each(expectations.filter(({ recording }) => chosen.some((name) => name === recording)))(
    "$recording gives the expected outcomes",
    async (expectation: Expectation) => {
      const played = await playOverSocket(expectation.recording);
      const expected = [...expectedAt(layer, expectation), { status: "dispatched" as const, ...lastRun }];
      expect(byRun(played.outcomes.map(told))).toEqual(byRun(expected));
      expectOneHandoverEach(played, expectation.recording);
      expect(played.stats).toMatchObject({ duplicates: 0, rejected: 0 });
    },
  );

  it("is played for every name in the list", () => {
    const names = expectations.map(({ recording }) => recording);
    for (const name of chosen) expect(names).toContain(name);
  });
});
