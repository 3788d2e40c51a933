import { describe, expect, it, vi } from "vitest";
import { PermanentError } from "../../src/errors.ts";
import { createTestClock } from "../../src/testing/clock.ts";
import { messageOf } from "../helpers/message.ts";
import { turn } from "../helpers/turns.ts";
import { openLanes } from "./fixture.ts";

const throwing = (name: string) =>
  Object.defineProperty(new Error("plain"), name, {
    get() {
      throw new Error("trap");
    },
  });
const revoked = () => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
};

describe("an error from a handler", () => {
  it.each<[string, unknown, string]>([
    ["a text", "no", "no"],
    ["nothing", undefined, "undefined"],
    ["null", null, "null"],
    ["a symbol", Symbol("no"), "Symbol(no)"],
    ["a number", 5n, "5"],
    ["an object with a message", { message: "no" }, "no"],
    ["an object without a prototype", Object.create(null), "a value of type object that cannot be shown"],
    ["a revoked proxy", revoked(), "a value of type object that cannot be shown"],
    ["an error whose message throws", throwing("message"), "a value of type object that cannot be shown"],
    ["an error whose stack throws", throwing("stack"), "plain"],
    ["an error whose code throws", throwing("code"), "plain"],
    ["an error whose details throw", throwing("details"), "plain"],
    ["an error without a message", new TypeError(""), "TypeError"],
    ["a lone surrogate and NUL", new Error("a\ud800b\0c"), "a\ufffdbc"],
    ["a message of a megabyte", new Error("x".repeat(1e6)), "x".repeat(4_096)],
  ])("is reported as text: %s", async (_name, thrown, text) => {
    for (const deliver of [
      () => {
        throw thrown;
      },
      () => Promise.reject(thrown),
    ]) {
      const { lanes, told } = openLanes({ deliver, maxAttempts: 1 });
      lanes.accept({ message: messageOf("m"), attempts: 0 });
      await turn();
      expect(told.at(-1)).toBe(`m dead 1: ${text}`);
      lanes.stop();
    }
  });

  it("ends the delivery when it is permanent and its details throw", async () => {
    const error = Object.defineProperty(new PermanentError("gone"), "details", {
      get() {
        throw new Error("trap");
      },
    });
    const { lanes, told } = openLanes({ deliver: () => Promise.reject(error) });
    lanes.accept({ message: messageOf("m"), attempts: 0 });
    await turn();
    expect(told.at(-1)).toBe("m dead 1: gone");
  });
});

describe("the value of a handler", () => {
  const delivered = "m delivered 1";

  it.each<[string, () => unknown, string]>([
    ["a value", () => ({ ok: false }), delivered],
    // biome-ignore lint/suspicious/noThenProperty: that is what is tested
    ["an object whose `then` is no function", () => ({ then: 5 }), delivered],
    // biome-ignore lint/suspicious/noThenProperty: that is what is tested
    ["a thenable that resolves at once", () => ({ then: (done: () => void) => done() }), delivered],
    [
      "a thenable that does both, twice",
      () => ({
        // biome-ignore lint/suspicious/noThenProperty: that is what is tested
        then(done: () => void, fail: (error: Error) => void) {
          done();
          fail(new Error("late"));
          done();
          throw new Error("later");
        },
      }),
      delivered,
    ],
    [
      "a thenable that throws",
      () => ({
        // biome-ignore lint/suspicious/noThenProperty: that is what is tested
        then() {
          throw new Error("no");
        },
      }),
      "m dead 1: no",
    ],
    [
      "an object whose `then` throws",
      () => ({
        // biome-ignore lint/suspicious/noThenProperty: that is what is tested
        get then() {
          throw new Error("trap");
        },
      }),
      "m dead 1: trap",
    ],
    ["a revoked proxy", revoked, "m dead 1: Cannot perform 'get' on a proxy that has been revoked"],
  ])("is accepted: %s", async (_name, deliver, end) => {
    const { lanes, told, clock } = openLanes({ deliver, maxAttempts: 1 });
    lanes.accept({ message: messageOf("m"), attempts: 0 });
    await turn();
    expect(told.at(-1)).toBe(end);
    expect(clock.pending).toBe(0);
  });

  it.each<[string, () => unknown]>([
    ["promise", () => new Promise(() => {})],
    // biome-ignore lint/suspicious/noThenProperty: that is what is tested
    ["thenable", () => ({ then() {} })],
  ])("ends an attempt after `timeoutMs` when it is a %s that never settles", async (_name, deliver) => {
    const { lanes, told, clock } = openLanes({ deliver, maxAttempts: 1, timeoutMs: 1_000 });
    lanes.accept({ message: messageOf("m"), attempts: 0 });
    await turn();
    expect(clock.pending).toBe(1);
    clock.advance(999);
    expect(told.at(-1)).toBe("m attempt 1");
    clock.advance(1);
    expect(told.at(-1)).toBe("m dead 1: The handler took longer than `timeoutMs` (1000)");
    expect(clock.pending).toBe(0);
  });

  it("is ignored after `timeoutMs` or stop", async () => {
    const settling: PromiseWithResolvers<void>[] = [];
    const deliver = () => {
      const one = Promise.withResolvers<void>();
      settling.push(one);
      return one.promise;
    };
    const { lanes, told, clock } = openLanes({ deliver, timeoutMs: 1_000, firstDelayMs: 0 });
    lanes.accept({ message: messageOf("m"), attempts: 0 });
    await turn();
    clock.advance(1_000);
    await turn();
    settling[0]?.resolve();
    await turn();
    expect(told.at(-1)).toBe("m attempt 2");
    lanes.stop();
    const before = told.length;
    settling[1]?.reject(new Error("too late"));
    await turn();
    expect(told).toHaveLength(before);
    expect(clock.pending).toBe(0);
  });

  it("needs no timer when it settles in the same turn", async () => {
    const clock = createTestClock();
    const { lanes, told } = openLanes({ clock, deliver: async () => {} });
    const setTimeout = vi.spyOn(clock, "setTimeout");
    lanes.accept({ message: messageOf("m"), attempts: 0 });
    await turn();
    expect(told.at(-1)).toBe("m delivered 1");
    expect(setTimeout).not.toHaveBeenCalled();
  });
});
