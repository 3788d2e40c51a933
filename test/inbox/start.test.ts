import type { AddressInfo } from "node:net";
import { createServer, type Server } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createInbox, type Inbox, type Ledger, type Source } from "../../src/index.ts";
import { createMemoryLedger } from "../../src/ledger/memory.ts";
import { createTestClock, type TestClock } from "../../src/testing/index.ts";
import { turn } from "../helpers/turns.ts";

/** A port that takes connections and says nothing, as a Gateway that hangs. */
let silent: Server;
let url: string;
let clock: TestClock;
const sockets = new Set<{ destroy(): void }>();

beforeEach(async () => {
  clock = createTestClock();
  silent = createServer((socket) => {
    sockets.add(socket.resume());
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => {});
  });
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  url = `ws://127.0.0.1:${(silent.address() as AddressInfo).port}`;
});

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => silent.close(resolve));
});

const connected = async () => {
  while (sockets.size === 0) await turn();
};
const disconnected = async () => {
  while (sockets.size > 0) await turn();
};

function hangingLedger(): Ledger {
  return { ...createMemoryLedger({ clock }), open: () => new Promise(() => {}) };
}

function throwingSource(): Source {
  return {
    name: "broken",
    open() {
      throw new Error("no such device");
    },
    async close() {
      throw new Error("never opened");
    },
  };
}

describe("start", () => {
  it("resolves after `timeoutMs` while a Gateway is silent", async () => {
    await using inbox = createInbox({ clock, gateway: { url } });
    const started = inbox.start({ timeoutMs: 5_000 });
    await connected();
    clock.advance(5_000);
    await started;
    expect(inbox.links()).toMatchObject([{ state: "connecting" }]);
  });

  it("resolves at once with `timeoutMs: 0`", async () => {
    await using inbox = createInbox({ gateway: { url } });
    await inbox.start({ timeoutMs: 0 });
    expect(inbox.links()).toHaveLength(1);
  });

  it("rejects with the reason of its signal and leaves nothing open", async () => {
    const inbox = createInbox({ clock, gateway: { url } });
    const control = new AbortController();
    const started = inbox.start({ signal: control.signal });
    started.catch(() => {});
    await connected();
    control.abort(new Error("the host gave up"));
    await expect(started).rejects.toThrow("the host gave up");
    await disconnected();
    expect(clock.pending).toBe(0);
    await expect(inbox.start()).rejects.toMatchObject({ code: "ERR_INBOX_STOPPED" });
  });

  it("begins nothing when its signal is aborted already", async () => {
    const inbox = createInbox({ gateway: { url } });
    await expect(inbox.start({ signal: AbortSignal.abort(new Error("before")) })).rejects.toThrow("before");
    await turn();
    expect(sockets.size).toBe(0);
    await inbox.stop();
  });

  it.each<[string, (inbox: Inbox) => Promise<unknown>]>([
    ["at once", async () => {}],
    ["while it connects", connected],
  ])("resolves when the inbox is stopped %s and leaves nothing open", async (_, wait) => {
    const inbox = createInbox({ clock, gateway: { url } });
    const started = inbox.start();
    await wait(inbox);
    await inbox.stop();
    await started;
    await disconnected();
    expect(clock.pending).toBe(0);
  });

  it("resolves when the inbox is stopped while the ledger does not open", async () => {
    const inbox = createInbox({ clock, gateway: { url }, ledger: hangingLedger() });
    const started = inbox.start();
    await turn();
    await inbox.stop();
    await started;
    expect(clock.pending).toBe(0);
  });

  it("rejects when the ledger cannot be opened", async () => {
    const ledger: Ledger = { ...createMemoryLedger({ clock }), open: () => Promise.reject(new Error("no disk")) };
    await using inbox = createInbox({ clock, gateway: { url }, ledger });
    await expect(inbox.start()).rejects.toThrow("no disk");
    await expect(inbox.start()).rejects.toThrow("no disk");
    expect(sockets.size).toBe(0);
  });

  it("is one for two callers", async () => {
    await using inbox = createInbox({ clock, gateway: { url } });
    const both = Promise.all([inbox.start({ timeoutMs: 10 }), inbox.start({ timeoutMs: 20 })]);
    await connected();
    clock.advance(20);
    await both;
    expect(sockets.size).toBe(1);
  });

  it("counts a source that throws as a host error", async () => {
    const inbox = createInbox({ clock, source: throwingSource() });
    await inbox.start();
    expect(inbox.links()).toMatchObject([{ state: "paused", reason: expect.stringContaining("could not be opened") }]);
    await inbox.stop();
    expect(inbox.stats().hostErrors).toBe(2);
  });

  it.each([
    [{ timeoutMs: -1 }, /`timeoutMs` to be a number from 0 to/],
    [{ timeoutMs: Number.NaN }, /`timeoutMs`/],
    [{ timeoutMs: "5" }, /`timeoutMs`/],
    [{ signal: {} }, /`signal` to be an AbortSignal/],
    [{ timeout: 5 }, /`timeout`/],
  ])("refuses %j", async (options, message) => {
    await using inbox = createInbox();
    await expect(inbox.start(options as never)).rejects.toThrow(message);
  });
});

describe("stop", () => {
  it.each([[{ drainMs: -1 }], [{ drainMs: "all" }], [{ drain: 5 }]])("refuses %j at once", async (options) => {
    await using inbox = createInbox();
    expect(() => inbox.stop(options as never)).toThrow(/`drain/);
  });
});
