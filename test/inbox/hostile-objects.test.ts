import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createInbox, type InboxOptions, type Source, type SourceListener } from "../../src/index.ts";
import { createTestClock } from "../../src/testing/clock.ts";
import { createHostileEvents, createRandom } from "./hostile-objects.ts";

/** More of them: `HOSTILE_OBJECTS=1000000 npx vitest run test/inbox/hostile-objects.test.ts`, about half a minute. */
const COUNT = Number(process.env["HOSTILE_OBJECTS"] ?? 100_000);
const SEED = Number(process.env["HOSTILE_SEED"] ?? Math.floor(Math.random() * 2 ** 31));

const uncaught: unknown[] = [];
const note = (error: unknown) => uncaught.push(error);
beforeEach(() => {
  uncaught.length = 0;
  process.on("uncaughtException", note).on("unhandledRejection", note);
});
afterEach(() => {
  process.off("uncaughtException", note).off("unhandledRejection", note);
});

function create(options: InboxOptions = {}) {
  const clock = createTestClock(1_000_000);
  const inbox = createInbox({ clock, ...options });
  const texts: string[] = [];
  inbox.messages$.subscribe(({ text, runId }) => runId.startsWith("good") && texts.push(text));
  return { clock, inbox, texts };
}

const good = (i: number) => ({
  runId: `good-${i}`,
  state: "final",
  sessionKey: "k",
  message: { content: `good ${i}` },
});

describe(`hostile objects (HOSTILE_SEED=${SEED})`, () => {
  it(`are each counted by handle(), ${COUNT} of them`, async () => {
    const { clock, inbox, texts } = create();
    const events = createHostileEvents(createRandom(SEED));
    for (let i = 0; i < COUNT; i++) {
      inbox.handle(events.payload(), (i % 10 === 0 ? events.strange() : undefined) as string | undefined);
      if (i % 1_000 !== 0) continue;
      clock.advance(61_000);
      inbox.handle(good(i));
      await new Promise(setImmediate);
      expect(texts.at(-1)).toBe(`good ${i}`);
    }
    const { events: taken, rejected, duplicates } = inbox.stats();
    expect(taken + rejected + duplicates).toBe(COUNT + texts.length);
    expect(rejected).toBeGreaterThan(COUNT / 10);
    expect(taken).toBeGreaterThan(COUNT / 10);
    await inbox.stop();
    expect(uncaught).toEqual([]);
  }, 1_000_000);

  it("are left out as an owner and reported", async () => {
    const { inbox } = create();
    const owners: unknown[] = [];
    inbox.messages$.subscribe(({ owner }) => owners.push(owner));
    for (const [i, owner] of [5n, Symbol("x"), {}, "x".repeat(2_000), "me"].entries())
      inbox.handle(good(i), owner as string);
    await new Promise(setImmediate);
    expect(owners).toEqual([undefined, undefined, undefined, undefined, "me"]);
    expect(inbox.stats().hostErrors).toBe(4);
    await inbox.stop();
  });

  it("lose no message and end no process when the host's functions throw them", async () => {
    const strange = createHostileEvents(createRandom(SEED)).everyStrange();
    let calls = 0;
    const throws = () => {
      throw strange[calls++ % strange.length];
    };
    const { inbox } = create({ accept: throws, deliver: throws, retry: { maxAttempts: 1 } });
    const errors: string[] = [];
    inbox.deliveries$.subscribe((outcome) => outcome.status === "dead" && errors.push(outcome.error));
    for (let i = 0; i < strange.length; i++) {
      inbox.handle({ ...good(i), sessionKey: `k ${i}` });
      await new Promise(setImmediate);
    }
    expect(errors).toHaveLength(strange.length);
    expect(inbox.stats().hostErrors).toBe(strange.length);
    await inbox.stop();
    expect(uncaught).toEqual([]);
  });

  it("never end a source's frames", async () => {
    let listener: SourceListener | undefined;
    const source: Source = { name: "default", open: (to) => (listener = to), close: async () => {} };
    const { inbox, texts } = create({ source });
    void inbox.start();
    await new Promise(setImmediate);
    const random = createRandom(SEED);
    const events = createHostileEvents(random);
    const names = ["chat", "agent", "session.message", "sessions.changed", "cron", "tick"];
    for (let i = 0; i < COUNT / 5; i++) {
      const event = random() < 0.1 ? events.strange() : names[Math.floor(random() * names.length)];
      listener?.frame(random() < 0.1 ? events.strange() : { type: "event", event, payload: events.payload() });
      if (i % 1_000 !== 0) continue;
      listener?.frame({ type: "event", event: "chat", payload: good(i) });
      await new Promise(setImmediate);
      expect(texts.at(-1)).toBe(`good ${i}`);
    }
    await inbox.stop();
    expect(uncaught).toEqual([]);
  }, 1_000_000);
});
