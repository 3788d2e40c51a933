import { describe, expect, it, onTestFinished } from "vitest";
import { announceListening } from "../../src/cli/announce.ts";
import { createTerminal } from "../../src/cli/terminal.ts";
import { createInbox } from "../../src/inbox.ts";
import type { Source, SourceListener } from "../../src/source/source.ts";
import { createTestClock } from "../../src/testing/clock.ts";
import { turn } from "../helpers/turns.ts";
import { keptStreams } from "./streams.ts";

/** An inbox on sources that say what the test tells them to, and what a person reads of it. */
function announced(names: readonly string[], postsTo?: string) {
  const listeners = new Map<string, SourceListener>();
  const source = names.map(
    (name): Source => ({ name, open: (listener) => void listeners.set(name, listener), close: async () => {} }),
  );
  const inbox = createInbox({ source });
  const streams = keptStreams(true);
  const clock = createTestClock();
  const logger = { debug() {}, info() {}, warn() {}, error() {} };
  const announcement = announceListening(inbox, createTerminal(streams), logger, postsTo, clock);
  void inbox.start();
  onTestFinished(async () => {
    announcement[Symbol.dispose]();
    await inbox.stop();
    expect(clock.pending).toBe(0);
  });
  return {
    clock,
    streams,
    link: (name: string) => listeners.get(name)?.link.bind(listeners.get(name)),
    opened: listeners,
  };
}

async function opened(listeners: ReadonlyMap<string, unknown>, count: number): Promise<void> {
  while (listeners.size < count) await turn();
}

describe("the announcement of a listener", () => {
  it("is one line when every link is live", async () => {
    const { clock, streams, link, opened: listeners } = announced(["home", "work"], "app.example.com");
    await opened(listeners, 2);
    for (const name of ["home", "work"]) {
      expect(streams.written.stderr).toBe("");
      link(name)?.({ type: "connect" });
      link(name)?.({ type: "hello" });
    }
    link("home")?.({ type: "lost", reason: "Gone." });
    link("home")?.({ type: "connect" });
    link("home")?.({ type: "hello" });
    clock.advance(60_000);
    expect(streams.written.stderr).toBe(
      "Listening to home, work: messages are posted to app.example.com; Ctrl-C stops it.\n",
    );
  });

  it("names each Gateway it waits for after five seconds", async () => {
    const { clock, streams, link, opened: listeners } = announced(["home", "work", "live"]);
    await opened(listeners, 3);
    for (const name of ["home", "work", "live"]) link(name)?.({ type: "connect" });
    link("work")?.({ type: "lost", reason: "Could not connect to ws://h: \u001b[2Jnobody." });
    link("live")?.({ type: "hello" });
    clock.advance(4_999);
    expect(streams.written.stderr).toBe("");
    clock.advance(1);
    expect(streams.written.stderr).toBe(
      "Still waiting for home: nothing answers there yet.\nStill waiting for work: Could not connect to ws://h: [2Jnobody.\n",
    );
  });
});
