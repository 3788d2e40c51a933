import { createInbox, createMemoryLedger, type Source, type SourceListener } from "../../src/index.ts";
import { createTestClock } from "../../src/testing/clock.ts";

/**
 * A peer that fills everything it can fill, far beyond each limit, while the handler is stuck. Started with little more
 * heap than the limits come to; says at last what is kept, and that it still hears a good run.
 */
const clock = createTestClock(1_700_000_000_000);
let peer: SourceListener | undefined;
const source: Source = {
  name: "flooded",
  open: (listener) => {
    peer = listener;
    listener.link({ type: "hello" });
  },
  close: async () => {},
};
const inbox = createInbox({
  clock,
  source,
  ledger: createMemoryLedger({ clock, maxEntries: 2_000, maxTextBytes: 16_777_216 }),
  deliver: () => new Promise<void>(() => {}),
  timeoutMs: Number.POSITIVE_INFINITY,
  maxRuns: 2_000,
  maxSettledRuns: 2_000,
  maxDedupKeys: 2_000,
  maxTextBytes: 1_048_576,
  maxBufferedBytes: 16_777_216,
  maxFrameBytes: 4_194_304,
  maxPending: 500,
  maxPendingBytes: 16_777_216,
  maxSessions: 100,
});
const heard = new Set<string>();
inbox.messages$.subscribe(({ runId }) => runId.startsWith("good") && heard.add(runId));
void inbox.start();
await new Promise(setImmediate);

let seq = 0;
const say = (event: string, payload: object) => peer?.frame(JSON.stringify({ type: "event", event, payload }));
const chat = (payload: object) => say("chat", { seq: ++seq, sessionKey: "agent:main:main", ...payload });
/** Characters that take two bytes of memory each. */
const long = (i: number, chars: number) => `${i}€`.padEnd(chars, "€");
const floods: Readonly<Record<string, () => Generator<unknown>>> = {
  *"ids of a megabyte"() {
    for (let i = 0; i < 150; i++) {
      say("agent", { runId: long(i, 500_000), isHeartbeat: true, sessionKey: "agent:main:main" });
      chat({ runId: long(i, 500_000), state: "delta", deltaText: "x" });
      chat({ runId: `r${i}`, sessionKey: long(i, 500_000), state: "delta", deltaText: "x" });
      yield say("sessions.changed", { sessionKey: "agent:main:main", sessionId: long(i, 500_000) });
    }
  },
  *"the longest ids, of many runs"() {
    for (let i = 0; i < 20_000; i++) {
      chat({ runId: long(i, 1_024), sessionKey: long(i, 1_024), state: "delta", deltaText: "x" });
      yield say("agent", { runId: long(i, 1_000), isHeartbeat: true, sessionKey: "agent:main:main" });
    }
  },
  *"the longest unknown states"() {
    for (let i = 0; i < 20_000; i++) yield chat({ runId: long(i, 1_024), state: long(i, 1_024) });
  },
  *"errors with many words"() {
    for (let i = 0; i < 2_000; i++)
      yield chat({ runId: `errored ${i}`, state: "error", errorMessage: long(i, 50_000), errorKind: long(i, 50_000) });
  },
  *"a text of single characters"() {
    for (let i = 0; i < 200_000; i++) yield chat({ runId: "drop by drop", state: "delta", deltaText: "x" });
  },
  *"many long texts"() {
    for (let i = 0; i < 300; i++) yield chat({ runId: `long ${i}`, state: "delta", deltaText: long(i, 300_000) });
  },
  *"snapshots that grew once"() {
    for (const content of ["a", "ab"]) chat({ runId: "again", state: "delta", message: { content } });
    for (let i = 0; i < 200_000; i++) yield chat({ runId: "again", state: "delta", message: { content: "ab" } });
  },
  *"rows of runs that nobody ends"() {
    for (let i = 0; i < 20_000; i++) {
      const mark = { id: `row ${i}`, runId: `hidden ${i}`, seq: i };
      const message = { role: "assistant", content: long(i, 3_000), stopReason: "stop", __openclaw: mark };
      yield say("session.message", { sessionKey: `agent:main:${i}`, message });
    }
  },
  *"messages that nobody takes"() {
    for (let i = 0; i < 5_000; i++)
      yield chat({
        runId: `untaken ${i}`,
        sessionKey: `agent:main:${i}`,
        state: "final",
        message: { content: long(i, 20_000) },
      });
  },
  *"frames beyond the limit"() {
    for (let i = 0; i < 50; i++) yield peer?.frame(long(i, 3_000_000));
  },
};
for (const [name, flood] of Object.entries(floods)) {
  const started = performance.now();
  let frames = 0;
  for (const _ of flood()) if (++frames % 100 === 0) await new Promise(setImmediate);
  chat({ runId: `good ${name}`, state: "final", message: { content: "still here" } });
  await new Promise(setImmediate);
  console.error(
    name,
    Math.round(process.memoryUsage().heapUsed / 1e6),
    "MB",
    Math.round(performance.now() - started),
    "ms",
  );
}
const { rejected, overLimit, dead, pending, liveRuns, bufferedBytes } = inbox.stats();
console.log(
  JSON.stringify({
    heard: heard.size,
    floods: Object.keys(floods).length,
    rejected,
    overLimit,
    dead,
    pending,
    liveRuns,
    bufferedBytes,
  }),
);
await inbox.stop({ drainMs: 0 });
