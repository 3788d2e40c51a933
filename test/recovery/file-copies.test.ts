import { describe, expect, it } from "vitest";
import { createInbox } from "../../src/inbox.ts";
import { createTestClock } from "../../src/testing/index.ts";
import { NOON } from "./hearing.ts";
import { later, oldSource, SESSION } from "./old-source.ts";

const LINE = "MEDIA:./dot.png";

/** A Gateway of 2026.5.12, which writes the answer to a client once more when its files are ready. */
function oldGateway() {
  const clock = createTestClock(NOON);
  const rows: object[] = [];
  const source = oldSource({ clock, rows });
  const row = (message: object) => {
    const seq = rows.length + 1;
    rows.push({ ...message, timestamp: NOON + seq, __openclaw: { id: `row${seq}`, seq } });
  };
  const asked = () => row({ role: "user", content: [{ type: "text", text: "Go." }] });
  const said = (words: string) =>
    row({ role: "assistant", content: [{ type: "text", text: words }], model: "stub-1", stopReason: "stop" });
  /** The row with the file. `words` are those of the answer without the line that names it. */
  const copied = (runId: string, words: string) => {
    const text = words === "" ? [] : [{ type: "text", text: words }];
    const image = { type: "image", url: "/api/chat/media/outgoing/one/full", alt: "dot.png", mimeType: "image/png" };
    const marks = { model: "gateway-injected", provider: "openclaw", idempotencyKey: `${runId}:assistant-media` };
    row({ role: "assistant", content: [...text, image], stopReason: "stop", ...marks });
  };
  const announce = () => source.announce();
  const final = (runId: string, text: string) => {
    const message = { role: "assistant", content: [{ type: "text", text }] };
    source.event("chat", { runId, sessionKey: SESSION, seq: 8, state: "final", message });
  };
  const inbox = createInbox({ source, clock });
  const told: (readonly [runId: string, text: string, files: number])[] = [];
  inbox.messages$.subscribe(({ runId, text, attachments }) => told.push([runId, text, attachments.length]));
  const settle = () => later(clock, 5);
  const comeBack = async () => {
    await source.backTo(inbox);
    await settle();
  };
  return { source, inbox, told, asked, said, copied, announce, final, settle, comeBack };
}

describe("an answer that an old Gateway writes again with its files", () => {
  it("is heard once, by its final", async () => {
    const old = oldGateway();
    await using inbox = old.inbox;
    await inbox.start();
    old.source.event("sessions.changed", { sessionKey: SESSION, phase: "start", runId: "run-1" });
    old.asked();
    old.announce();
    old.said(`Here it is.\n${LINE}`);
    old.announce();
    old.final("run-1", "Here it is.");
    old.source.event("sessions.changed", { sessionKey: SESSION, phase: "end", runId: "run-1" });
    await old.settle();
    old.copied("run-1", "Here it is.");
    old.announce();
    await old.settle();
    await old.comeBack();
    expect(old.told.map(([runId, text]) => [runId, text])).toEqual([["run-1", "Here it is."]]);
  });

  it.each([
    ["words and a file", `Here it is.\n${LINE}`, "Here it is."],
    ["a file alone", LINE, ""],
  ])("is caught up once, with %s", async (_, words, text) => {
    const old = oldGateway();
    await using inbox = old.inbox;
    await inbox.start();
    old.source.cut();
    old.asked();
    old.said(words);
    old.copied("run-1", text);
    await old.comeBack();
    expect(old.told).toEqual([["run-1", text, 1]]);
    await old.comeBack();
    expect(old.told).toHaveLength(1);
  });

  it.each([
    ["live", (old: ReturnType<typeof oldGateway>) => old.announce()],
    ["after another cut", (old: ReturnType<typeof oldGateway>) => old.comeBack()],
  ])("is not heard again when its files come %s", async (_, come) => {
    const old = oldGateway();
    await using inbox = old.inbox;
    await inbox.start();
    old.source.cut();
    old.asked();
    old.said(`Here it is.\n${LINE}`);
    await old.comeBack();
    expect(old.told).toEqual([["row-row2", "Here it is.", 1]]);
    old.copied("run-1", "Here it is.");
    await come(old);
    await old.settle();
    expect(old.told).toHaveLength(1);
  });

  it("is told apart from the answer before it", async () => {
    const old = oldGateway();
    await using inbox = old.inbox;
    await inbox.start();
    old.source.cut();
    old.asked();
    old.said("Something else.");
    old.copied("run-1", "Here it is.");
    await old.comeBack();
    expect(old.told).toEqual([
      ["row-row2", "Something else.", 0],
      ["run-1", "Here it is.", 1],
    ]);
  });
});
