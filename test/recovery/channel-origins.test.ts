import { describe, expect, it } from "vitest";
import type { FakeGateway } from "../../src/testing/index.ts";
import { heard, later, openHearing, tellRow } from "./hearing.ts";

const MAIN = "agent:main:main";

const content = (text: string) => [{ type: "text", text }];

/** A person in a channel writes. The row names no run. */
function written(gateway: FakeGateway): void {
  const mark = { senderIsOwner: false, senderId: "4242", transport: { channel: "telegram" } };
  tellRow(gateway, MAIN, { role: "user", content: "Hi?", __openclaw: mark });
}

/** A cron job asks. The row names no run. */
function cronAsks(gateway: FakeGateway): void {
  tellRow(gateway, MAIN, { role: "assistant", content: "Report.", provenance: { sourceTool: "cron" } });
}

/** A run begins. */
function begins(gateway: FakeGateway, runId: string, isHeartbeat = false): void {
  const lifecycle = { stream: "lifecycle", data: { phase: "start" } };
  gateway.emit("agent", { runId, sessionKey: MAIN, ...lifecycle, ...(isHeartbeat && { isHeartbeat }) });
  gateway.emit("sessions.changed", { sessionKey: MAIN, phase: "start", runId });
}

/** The final, and no row before it. */
function ends(gateway: FakeGateway, runId: string, text: string): void {
  const message = { role: "assistant", content: content(text) };
  gateway.emit("chat", { runId, sessionKey: MAIN, seq: 23, state: "final", message });
  gateway.emit("sessions.changed", { sessionKey: MAIN, phase: "end", runId });
}

describe("a run in a channel whose final comes before its row", () => {
  it("is known as requested by the prompt before its start", async () => {
    const { fake, gateway, hearing } = await openHearing({}, [MAIN]);
    written(gateway);
    begins(gateway, "run-1");
    ends(gateway, "run-1", "Hello.");
    await later(fake, hearing);
    expect(hearing.messages).toMatchObject([{ runId: "run-1", text: "Hello.", origin: "requested" }]);
  });

  it("is not taken for a heartbeat that begins between", async () => {
    const { fake, gateway, hearing } = await openHearing({}, [MAIN]);
    written(gateway);
    begins(gateway, "beat-1", true);
    ends(gateway, "beat-1", "The disk is full.");
    await later(fake, hearing);
    expect(hearing.messages).toMatchObject([{ runId: "beat-1", origin: "heartbeat" }]);
  });

  it.each([
    ["before", [cronAsks, written]],
    ["after", [written, cronAsks]],
  ] as const)("is not guessed when a cron job asks %s the person", async (_, prompts) => {
    const { fake, gateway, hearing } = await openHearing({}, [MAIN]);
    for (const prompt of prompts) prompt(gateway);
    begins(gateway, "run-1");
    ends(gateway, "run-1", "The report.");
    await later(fake, hearing);
    expect(hearing.messages).toMatchObject([{ runId: "run-1", origin: "unknown" }]);
  });

  it("is not mixed up with a run whose start was missed", async () => {
    const { fake, gateway, hearing } = await openHearing({}, [MAIN]);
    written(gateway);
    await heard(gateway, hearing);
    await hearing.source.cut();
    await hearing.comeBack();
    begins(gateway, "run-2");
    ends(gateway, "run-2", "By the way.");
    await later(fake, hearing);
    expect(hearing.messages).toMatchObject([{ runId: "run-2", origin: "unknown" }]);
  });

  it("leaves nothing for the next run when it is silent", async () => {
    const { fake, gateway, hearing } = await openHearing({}, [MAIN]);
    written(gateway);
    begins(gateway, "run-1");
    ends(gateway, "run-1", "NO_REPLY");
    begins(gateway, "run-2");
    ends(gateway, "run-2", "By the way.");
    await later(fake, hearing);
    expect(hearing.messages).toMatchObject([{ runId: "run-2", origin: "unknown" }]);
  });

  it("leaves nothing for the next run when its answer came within another", async () => {
    const { fake, gateway, hearing } = await openHearing({}, [MAIN]);
    begins(gateway, "run-1");
    written(gateway);
    tellRow(gateway, MAIN, { role: "assistant", content: content("To both."), stopReason: "stop" }, "run-1");
    ends(gateway, "run-1", "To both.");
    begins(gateway, "run-2");
    ends(gateway, "run-2", "By the way.");
    await later(fake, hearing);
    expect(hearing.messages.map(({ runId, origin }) => [runId, origin])).toContainEqual(["run-2", "unknown"]);
  });
});
