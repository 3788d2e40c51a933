import { describe, expect, it } from "vitest";
import type { InspectionEvent } from "xstate";
import { createInbox, type InboxOptions } from "../../src/index.ts";
import { createTestClock } from "../../src/testing/clock.ts";
import { turn } from "../helpers/turns.ts";

const SECRET = "the agent's private words";

/** Drives an inbox through every kind of end, a retry and a dead letter. */
async function live(options: InboxOptions): Promise<void> {
  const clock = createTestClock();
  const inbox = createInbox({
    clock,
    retry: { maxAttempts: 2 },
    deliver: () => Promise.reject(new Error("down")),
    ...options,
  });
  const hear = (runId: string, state: string, more: object = {}) =>
    inbox.handle({ runId, sessionKey: "agent:main:main", state, message: { content: SECRET }, ...more });
  for (const end of ["final", "aborted", "error"]) {
    hear(end, "delta");
    hear(end, end, { errorMessage: "HTTP 500" });
  }
  hear("expired", "delta");
  hear("odd", "pondering");
  inbox.handle({ message: SECRET });
  for (let i = 0; i < 5; i++) {
    await turn();
    clock.advance(1_800_000);
  }
  await inbox.stop();
}

describe("a message's text", () => {
  it("is in no log line of any level", async () => {
    const lines: string[] = [];
    const line = (level: string) => (fields: object, text: string) =>
      void lines.push(`${level} ${text} ${JSON.stringify(fields)}`);
    await live({ logger: { debug: line("debug"), info: line("info"), warn: line("warn"), error: line("error") } });
    expect(lines.join("\n")).not.toContain(SECRET);
    expect(lines.map((text) => text.split(" {")[0])).toEqual([
      "info message dispatched",
      "info run aborted",
      "error run errored",
      "debug event of an unknown state ignored",
      "warn unreadable frame or event",
      "warn delivery failed, will be retried",
      "warn run expired: the Gateway never said how it ended",
      "error delivery gave up: dead letter",
      "info inbox stopped",
    ]);
  });

  it("is only a length in what the inspector sees", async () => {
    const see = async (options: InboxOptions) => {
      const seen: InspectionEvent[] = [];
      const snapshots: unknown[] = [];
      await live({
        ...options,
        inspect(event) {
          seen.push(event);
          // At an actor's own registration there is no snapshot yet.
          if (event.type !== "@xstate.actor")
            snapshots.push((event.actorRef as { getSnapshot(): unknown }).getSnapshot());
        },
      });
      expect(seen.length).toBeGreaterThan(20);
      return JSON.stringify([seen.map(({ actorRef, ...event }) => ({ ...event, sourceRef: undefined })), snapshots]);
    };
    const hidden = await see({});
    expect(hidden).not.toContain(SECRET);
    expect(hidden).toContain(`(${SECRET.length} characters)`);
    expect(await see({ inspectText: true })).toContain(SECRET);
  });

  it("is handed over when an inspector throws", async () => {
    const inbox = createInbox({
      inspect() {
        throw new Error("bug");
      },
    });
    inbox.handle({ runId: "r", sessionKey: "k", state: "final", message: { content: "Hello" } });
    expect(inbox.stats()).toMatchObject({ dispatched: 1 });
    expect(inbox.stats().hostErrors).toBeGreaterThan(0);
    await inbox.stop();
  });
});
