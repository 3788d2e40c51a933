import { describe, expect, it } from "vitest";
import { createInbox, createMemoryLedger, type InboxOptions, isInboxError } from "../../src/index.ts";

function refusal(options: object): string {
  try {
    createInbox(options as InboxOptions);
  } catch (error) {
    expect(isInboxError(error, "ERR_INBOX_OPTION"), String(error)).toBe(true);
    return (error as Error).message;
  }
  throw new Error("was not refused");
}

describe("the options", () => {
  it.each([
    [{ ttlMs: -5 }, "Expected `ttlMs` to be an integer from 1 to 2147483647, got `-5` (number)"],
    [{ ttlMs: 2 ** 31 }, "Expected `ttlMs` to be an integer from 1 to 2147483647, got `2147483648` (number)"],
    [{ dedupWindowMs: "30s" }, "Expected `dedupWindowMs` to be an integer >= 0, got `30s` (string)"],
    [
      { retry: { maxAttempts: 0 } },
      "Expected `retry.maxAttempts` to be an integer >= 1, or Infinity, got `0` (number)",
    ],
    [{ ordering: "global" }, 'Expected `ordering` to be "session" or "none", got `global` (string)'],
    [{ deliver: "handler" }, "Expected `deliver` to be a function, got `handler` (string)"],
    [
      { clock: {} },
      "Expected `clock` to be a clock (an object with `now`, `setTimeout`, `clearTimeout`), got a value of type object",
    ],
    [
      { logger: console.log },
      "Expected `logger` to be a logger (an object with `debug`, `info`, `warn`, `error`), got a value of type function",
    ],
    [{ ledger: 5 }, "got `5` (number)"],
    [
      { ledger: { ...createMemoryLedger(), attempted: undefined } },
      "Expected `ledger` to be a path or a Ledger (an object with `open`, `take`, `attempted`, ",
    ],
    [{ includeSubagents: "no" }, "Expected `includeSubagents` to be a boolean, got `no` (string)"],
    [null, "Expected `options` to be an object, got `null`"],
  ])("%j are refused with name and value", (options, message) => {
    expect(refusal(options as object)).toContain(message);
  });

  it.each([
    [{ ttlM: 5 }, "There is no option `ttlM`; did you mean `ttlMs`?"],
    [{ maxRun: 5 }, "There is no option `maxRun`; did you mean `maxRuns`?"],
    [{ zzzzzz: 5 }, "There is no option `zzzzzz`; there are session, timeoutMs, "],
    [{ retry: { maxAttempt: 5 } }, "There is no option `retry.maxAttempt`; did you mean `retry.maxAttempts`?"],
    [{ gateway: { tokn: "s3cret" } }, "got `gateway.tokn`; did you mean `gateway.token`?"],
    [{ source: [{ urll: "x" }] }, "got `source[0].urll`; did you mean `source[0].url`?"],
    [{ constructor: 5 }, "There is no option `constructor`"],
  ])("%j are refused with the nearest right name", (options, message) => {
    expect(refusal(options)).toContain(message);
    expect(refusal(options)).not.toContain("s3cret");
  });

  it.each([
    [
      { gateway: { url: "http://h" } },
      "Expected `gateway.url` to be a ws:// or wss:// address, got `http://h` (string)",
    ],
    [{ gateway: "http://h" }, "Expected `gateway.url` to be a ws:// or wss:// address"],
    [{ gateway: [{ url: "ws://h" }, { url: "ws://h", token: 5 }] }, "Expected `gateway[1].token` to be a string"],
    [{ gateway: 5 }, "Expected `gateway` to be an address (ws:// or wss://), the options of a Gateway, or a source"],
    [{ gateway: [null] }, "Expected `gateway[0]` to be an address"],
    [{ source: { url: "ws://h", name: "" } }, "Expected `source.name` to be a string that is not empty"],
  ])("of a Gateway are named by their path: %j", (options, message) => {
    expect(refusal(options)).toContain(message);
  });

  it("take a Gateway by its address alone", async () => {
    const inbox = createInbox({ gateway: "ws://127.0.0.1:9" });
    expect(inbox.links()).toMatchObject([{ gateway: "default", state: "offline" }]);
    await inbox.stop();
  });

  it.each([
    ["rejects", () => Promise.reject(new Error("nobody hears this"))],
    ["answers", async () => false],
  ])("count an async function that %s as a host error", async (_, async) => {
    const outcomes: unknown[] = [];
    for (const [i, options] of [{ session: async }, { accept: async }].entries()) {
      const inbox = createInbox(options as never);
      inbox.outcomes$.subscribe(({ status }) => outcomes.push(status));
      inbox.handle({ runId: `r${i}`, sessionKey: "k", state: "final", message: { content: "Hi" } });
      await new Promise(setImmediate);
      expect(inbox.stats().hostErrors).toBe(1);
      await inbox.stop();
    }
    expect(outcomes).toEqual(["discarded", "dispatched"]);
  });

  it.each([
    ["solicit", [5n], "runId"],
    ["solicit", ["x".repeat(1_025)], "runId"],
    ["redeliver", [5n], "id"],
    ["redeliver", [undefined], "id"],
    ["deadLetters", [{ limit: "all" }], "limit"],
    ["deadLetters", [{ after: 5 }], "after"],
    ["deadLetters", [{ newestFirst: "yes" }], "newestFirst"],
    ["deadLetters", [null], "options"],
    ["stop", [{ drainMs: "soon" }], "drainMs"],
    ["start", [{ timeoutMs: "soon" }], "timeoutMs"],
    ["send", [5n], "request"],
    ["send", [{ sessionKey: 5n, text: "Hi" }], "sessionKey"],
    ["ask", [{ sessionKey: "k", text: Symbol("x") }], "text"],
  ])("of %s() are checked: %o", async (call, args, option) => {
    const inbox = createInbox() as never as Record<string, (...args: unknown[]) => unknown>;
    const attempt = async () => inbox[call]?.(...args);
    await expect(attempt()).rejects.toMatchObject({ code: "ERR_INBOX_OPTION", details: { option } });
    await inbox["stop"]?.();
  });

  it("take an async observer and report its rejection", async () => {
    const inbox = createInbox({ inspect: async () => Promise.reject(new Error("nobody hears this")) } as never);
    inbox.handle({ runId: "r", sessionKey: "k", state: "delta", deltaText: "Hi" });
    await new Promise(setImmediate);
    expect(inbox.stats().hostErrors).toBeGreaterThan(0);
    await inbox.stop();
  });

  it("may be undefined", async () => {
    const inbox = createInbox({ ttlMs: undefined, retry: { maxAttempts: undefined } } as never);
    inbox.handle({ runId: "r", sessionKey: "k", state: "delta", deltaText: "Hi" });
    expect(inbox.runs()).toHaveLength(1);
    await inbox.stop();
  });

  it("never quote a token", () => {
    const message = refusal({ gateway: { url: "http://127.0.0.1", token: "s3cret" } });
    expect(message).toContain("`gateway.url`");
    expect(message).not.toContain("s3cret");
  });

  it("need two names for two Gateways", () => {
    const gateway = [{ url: "ws://127.0.0.1:1" }, { url: "ws://127.0.0.1:2" }];
    expect(refusal({ gateway })).toContain("a `name` of its own");
    createInbox({ gateway: gateway.map((one, i) => ({ ...one, name: `g${i}` })) });
  });
});
