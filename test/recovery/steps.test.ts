import { describe, expect, it } from "vitest";
import type { FakeGateway } from "../../src/testing/index.ts";
import { asked, lastingLedger, later, listen, openGateway, openHearing, topic } from "./hearing.ts";

const HOME = topic(1);

function useTool(gateway: FakeGateway): void {
  const run = gateway.run({ sessionKey: HOME, runId: "run-1" });
  run.delta("Let me look.");
  run.callTool();
  run.delta("Nothing there.");
  run.final();
}

describe("a run with a tool call that was missed", () => {
  // The history's first page has ten rows, and a step comes as two of them.
  it.each(Array.from({ length: 13 }, (_, count) => count))("is whole with %i rows after it", async (count) => {
    const { gateway, clock, hearing } = await openHearing({}, [HOME]);
    gateway.say("The opening turn.", { sessionKey: HOME });
    await hearing.toldOf(1);
    await hearing.source.cut();
    clock.advance(1_000);
    useTool(gateway);
    const notes = Array.from({ length: count }, (_, n) => `Note ${n}.`);
    for (const note of notes) gateway.say(note, { sessionKey: HOME, origin: "inject" });
    await hearing.comeBack();
    expect(hearing.told().map(([, text]) => text)).toEqual([
      "The opening turn.",
      "Let me look.\n\nNothing there.",
      ...notes,
    ]);
  });
});

describe("a run that the Gateway lost after a tool call", () => {
  it("does not hold the bookmark back at every start", async () => {
    const fake = await openGateway();
    const { gateway, clock } = fake;
    const ledger = lastingLedger(clock);
    const texts: string[] = [];
    const startAgain = async () => {
      const hearing = await listen(fake, { ledger });
      await later(fake, hearing);
      await hearing.inbox.stop({ drainMs: 0 });
      texts.push(...hearing.messages.map(({ text }) => text));
    };
    gateway.say("The opening turn.", { sessionKey: HOME });
    await startAgain();
    const run = gateway.run({ sessionKey: HOME, runId: "run-1" });
    run.delta("Let me look.");
    run.callTool();
    gateway.transcripts.crash();
    gateway.say("The next turn.", { sessionKey: HOME });
    // The ledger remembers a message for 24 hours.
    for (let n = 0; n < 78; n += 1) {
      await startAgain();
      clock.advance(20 * 60_000);
    }
    const before = asked(gateway, "chat.history").length;
    await startAgain();
    expect(asked(gateway, "chat.history")).toHaveLength(before);
    expect(texts).toEqual(["The next turn."]);
  });
});
