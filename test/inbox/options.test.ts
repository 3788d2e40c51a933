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

describe("options", () => {
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

  it("that are misspelt are refused, with those that there are", () => {
    expect(refusal({ ttl: 5 })).toMatch(/^There is no option `ttl`; there are .*ttlMs/);
    expect(refusal({ retry: { attempts: 5 } })).toMatch(/^There is no option `retry.attempts`; there are maxAttempts/);
    expect(refusal({ constructor: 5 })).toMatch(/^There is no option `constructor`/);
  });

  it("that are undefined count as absent", async () => {
    const inbox = createInbox({ ttlMs: undefined, retry: { maxAttempts: undefined } } as never);
    inbox.handle({ runId: "r", sessionKey: "k", state: "delta", deltaText: "Hi" });
    expect(inbox.runs()).toHaveLength(1);
    await inbox.stop();
  });

  it("never quote a token", () => {
    const message = refusal({ gateway: { url: "http://127.0.0.1", token: "s3cret" } });
    expect(message).toContain("`url`");
    expect(message).not.toContain("s3cret");
  });

  it("of two Gateways at different addresses need two names", () => {
    const gateway = [{ url: "ws://127.0.0.1:1" }, { url: "ws://127.0.0.1:2" }];
    expect(refusal({ gateway })).toContain("a `name` of its own");
    createInbox({ gateway: gateway.map((one, i) => ({ ...one, name: `g${i}` })) });
  });
});
