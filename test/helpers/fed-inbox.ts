import { onTestFinished } from "vitest";
import { createInbox, type Inbox, type InboxOptions, type RunOutcome } from "../../src/index.ts";
import { createTestClock, type TestClock } from "../../src/testing/index.ts";

/** The key of a conversation that Collavre would read. */
export const KEY = "agent:main:collavre:42:creative:100:topic:200";

/** A line of the log. */
export interface LogLine {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly fields: Record<string, unknown>;
  readonly text: string;
}

/** An inbox that a test feeds through `handle()`, and what has come of it so far. */
export interface FedInbox {
  readonly inbox: Inbox;
  readonly clock: TestClock;
  readonly outcomes: RunOutcome[];
  readonly lines: LogLine[];
  /** One chat event in the session {@link KEY}, with the next `seq`. `more` adds fields and replaces them. */
  hear(runId: string, state: string, more?: object): void;
  /** What came of each run: the text of a message, else `status: text`. */
  texts(): readonly string[];
}

/** Opens an inbox on a test clock. It is stopped after the test. */
export function feedInbox(options: InboxOptions = {}): FedInbox {
  const clock = createTestClock(1_000);
  const lines: LogLine[] = [];
  const log = (level: LogLine["level"]) => (fields: object, text: string) =>
    void lines.push({ level, fields: fields as Record<string, unknown>, text });
  const logger = { debug: log("debug"), info: log("info"), warn: log("warn"), error: log("error") };
  const inbox = createInbox({ clock, logger, ...options });
  onTestFinished(() => inbox.stop({ drainMs: 0 }));
  const outcomes: RunOutcome[] = [];
  inbox.outcomes$.subscribe((outcome) => outcomes.push(outcome));
  let seq = 0;
  return {
    inbox,
    clock,
    outcomes,
    lines,
    hear: (runId, state, more = {}) => inbox.handle({ runId, sessionKey: KEY, seq: ++seq, state, ...more }),
    texts: () =>
      outcomes.map((outcome) =>
        outcome.status === "dispatched" ? outcome.message.text : `${outcome.status}: ${outcome.text}`,
      ),
  };
}

/** The `message` of a chat event in which an agent says `text`. */
export function say(text: string): { readonly message: object } {
  return { message: { role: "assistant", content: [{ type: "text", text }] } };
}
