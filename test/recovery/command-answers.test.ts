import { describe, expect, it } from "vitest";
import { createInbox } from "../../src/inbox.ts";
import type { Ledger } from "../../src/ledger/ledger.ts";
import type { InboxOptions } from "../../src/options.ts";
import { createTestClock } from "../../src/testing/index.ts";
import { lastingLedger, NOON } from "./hearing.ts";
import { later, oldSource, SESSION, turns } from "./old-source.ts";

const ANSWER = "New session started.";

/** A Gateway of 2026.5.12: what it injects names no run, and the prompt of a command is in no history. */
function oldGateway(options: InboxOptions = {}) {
  const clock = createTestClock(NOON);
  const rows: object[] = [];
  const source = oldSource({ clock, rows });
  const written = (text: string, at: number) => ({
    role: "assistant",
    content: [{ type: "text", text }],
    timestamp: at,
    stopReason: "stop",
    usage: { input: 0, output: 0 },
    provider: "openclaw",
    model: "gateway-injected",
  });
  /** The words of the Gateway itself, as a row. Returns the id of the row. */
  const row = (text: string, at: number, marks: object = {}) => {
    const id = `row${rows.length + 1}`;
    rows.push({ ...written(text, at), ...marks, __openclaw: { id, seq: rows.length + 1 } });
    return id;
  };
  const announce = () => source.announce();
  const final = (runId: string, text: string, at: number) =>
    source.event("chat", { runId, sessionKey: SESSION, seq: 1, state: "final", message: written(text, at) });
  const told: (readonly [string, string])[] = [];
  const hear = (more: InboxOptions = {}) => {
    const inbox = createInbox({ source, clock, ...options, ...more });
    inbox.messages$.subscribe(({ runId, origin }) => told.push([runId, origin]));
    return inbox;
  };
  /** Until nothing waits for another sign any longer. */
  const settle = () => later(clock, 1);
  return { clock, source, told, hear, row, announce, final, settle };
}

type Old = ReturnType<typeof oldGateway>;

async function comeBack({ source, settle }: Old, inbox: ReturnType<typeof createInbox>): Promise<void> {
  await source.backTo(inbox);
  await settle();
}

describe("the answer to a command, as a Gateway of 2026.5.12 sends it", () => {
  it.each([
    ["before", (row: () => void, final: () => void) => [row, final]],
    ["after", (row: () => void, final: () => void) => [final, row]],
  ])("is dispatched once, its row %s its final", async (_, order) => {
    const old = oldGateway();
    await using inbox = old.hear();
    await inbox.start();
    const live = () => {
      old.row(ANSWER, NOON + 5);
      old.announce();
    };
    for (const step of order(live, () => old.final("command-1", ANSWER, NOON + 5))) step();
    await old.settle();
    expect(old.told).toEqual([["command-1", "unknown"]]);
  });

  it("is not caught up when the connection is lost before its row", async () => {
    const old = oldGateway();
    await using inbox = old.hear();
    await inbox.start();
    old.row(ANSWER, NOON + 5);
    old.final("command-1", ANSWER, NOON + 5);
    await comeBack(old, inbox);
    expect(old.told).toEqual([["command-1", "unknown"]]);
  });

  it("is caught up once as injected when its final is missed", async () => {
    const old = oldGateway();
    await using inbox = old.hear();
    await inbox.start();
    old.source.cut();
    const id = old.row(ANSWER, NOON + 5);
    await comeBack(old, inbox);
    await comeBack(old, inbox);
    expect(old.told).toEqual([[`inject-${id}`, "injected"]]);
  });

  it("is not heard again after a crash at once", async () => {
    const lasting = lastingLedger(createTestClock(NOON));
    let isAlive = true;
    const ledger: Ledger = { ...lasting, setCursor: (...args) => (isAlive ? lasting.setCursor(...args) : undefined) };
    const old = oldGateway({ ledger });
    old.row("Before.", NOON - 5);
    const first = old.hear();
    await first.start();
    isAlive = false;
    old.final("command-1", ANSWER, NOON + 5);
    old.row(ANSWER, NOON + 5);
    old.announce();
    await turns();
    await first.stop();
    isAlive = true;
    await using second = old.hear();
    await second.start();
    await old.settle();
    expect(old.told).toEqual([["command-1", "unknown"]]);
  });

  it("is dispatched whole by its row when its final is cut", async () => {
    const old = oldGateway();
    await using inbox = old.hear();
    const texts: string[] = [];
    inbox.messages$.subscribe(({ text }) => texts.push(text));
    await inbox.start();
    const whole = "x".repeat(9_000);
    old.final("command-1", `${whole.slice(0, 8_000)}\n...(truncated)...`, NOON + 5);
    old.row(whole, NOON + 5);
    old.announce();
    for (let n = 0; n < 5; n += 1) await old.settle();
    expect(texts).toEqual([whole]);
  });

  it("is not dispatched when we asked, neither by its final nor by its row", async () => {
    const old = oldGateway();
    await using inbox = old.hear();
    await inbox.start();
    inbox.solicit("command-1");
    old.final("command-1", ANSWER, NOON + 5);
    old.row(ANSWER, NOON + 5);
    old.announce();
    await old.settle();
    expect(old.told).toEqual([]);
  });
});

// Such a Gateway takes "fc-" and ten letters or digits for a secret. One of 256 UUIDs has them.
describe("the answer to a command whose id a Gateway of 2026.7 masks in its row", () => {
  const ASKED = "command-2d199919-0725-4dc2-bafc-47b7e27b1c35";
  const masked = { idempotencyKey: "command-2d199919-0725-4dc2-ba***" };

  it("is dispatched once", async () => {
    const old = oldGateway();
    await using inbox = old.hear();
    await inbox.start();
    old.final(ASKED, ANSWER, NOON + 5);
    old.row(ANSWER, NOON + 5, masked);
    old.announce();
    await old.settle();
    await comeBack(old, inbox);
    expect(old.told).toEqual([[ASKED, "unknown"]]);
  });

  it("is caught up, each of two that are masked alike", async () => {
    const old = oldGateway();
    await using inbox = old.hear();
    await inbox.start();
    old.source.cut();
    const ids = [old.row(ANSWER, NOON + 5, masked), old.row(ANSWER, NOON + 6, masked)];
    await comeBack(old, inbox);
    await comeBack(old, inbox);
    expect(old.told).toEqual(ids.map((id) => [`row-${id}`, "requested"]));
  });
});

/** Hears the answer to a command: its final, and then its row. */
function hearAnswer(old: Old): void {
  old.final("command-1", ANSWER, NOON + 5);
  old.row(ANSWER, NOON + 5);
  old.announce();
}

describe("what chat.inject writes on a Gateway of 2026.5.12", () => {
  it.each([
    ["heard", () => {}],
    ["caught up", ({ source }: Old) => source.cut()],
  ])("is dispatched when %s, though it repeats an earlier answer", async (how, before) => {
    const old = oldGateway();
    await using inbox = old.hear();
    await inbox.start();
    hearAnswer(old);
    await old.settle();
    before(old);
    const id = old.row(ANSWER, NOON + 1_005);
    if (how === "heard") {
      old.final(`inject-${id}`, ANSWER, NOON + 1_005);
      old.announce();
      await old.settle();
    } else await comeBack(old, inbox);
    expect(old.told).toEqual([
      ["command-1", "unknown"],
      [`inject-${id}`, "injected"],
    ]);
  });

  it("is dispatched by its row alone, with other words of the same time", async () => {
    const old = oldGateway();
    await using inbox = old.hear();
    await inbox.start();
    hearAnswer(old);
    const id = old.row("A note.", NOON + 5);
    old.announce();
    await old.settle();
    expect(old.told).toEqual([
      ["command-1", "unknown"],
      [`inject-${id}`, "injected"],
    ]);
  });
});
