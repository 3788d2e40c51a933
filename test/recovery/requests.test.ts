import { describe, expect, it } from "vitest";
import { InboxError } from "../../src/errors.ts";
import { Requests } from "../../src/recovery/requests.ts";
import { createTestClock } from "../../src/testing/index.ts";
import { turn } from "../helpers/turns.ts";

interface Call {
  readonly method: string;
  readonly signal: AbortSignal | undefined;
  readonly answer: (payload: unknown) => void;
  readonly refuse: (details?: object, code?: "ERR_INBOX_REQUEST" | "ERR_INBOX_NO_LINK") => void;
}

function openRequests() {
  const clock = createTestClock();
  const calls: Call[] = [];
  const failures: (readonly [string, boolean])[] = [];
  let sent = 0;
  const requests = new Requests({
    gateway: "one",
    clock,
    request: (method, _params, { signal } = {}) =>
      new Promise((answer, reject) => {
        const refuse: Call["refuse"] = (details = {}, code = "ERR_INBOX_REQUEST") =>
          reject(new InboxError(code, "refused", { ...details }));
        calls.push({ method, signal, answer, refuse });
      }),
    report: {
      requested() {
        sent += 1;
      },
      requestFailed: (_gateway, method, _params, _error, isRepeat) => failures.push([method, isRepeat]),
    },
  });
  return { clock, calls, failures, requests, sent: () => sent };
}

describe("requests", () => {
  it("are sent eight at a time, urgent ones first", async () => {
    const { requests, calls } = openRequests();
    for (let n = 0; n < 10; n += 1) void requests.ask(`slow ${n}`, {});
    void requests.ask("urgent", {}, { urgent: true });
    expect(calls).toHaveLength(8);
    calls[0]?.answer({});
    await turn();
    expect(calls.map(({ method }) => method).slice(8)).toEqual(["urgent"]);
    calls[1]?.answer({});
    await turn();
    expect(calls.at(-1)?.method).toBe("slow 8");
  });

  it("are repeated to a busy Gateway twice, as late as it asks", async () => {
    const { requests, calls, failures, clock, sent } = openRequests();
    const asked = requests.ask("chat.history", {});
    calls[0]?.refuse({ retryable: true, retryAfterMs: 700 });
    await turn();
    clock.advance(699);
    expect(calls).toHaveLength(1);
    clock.advance(1);
    await turn();
    calls[1]?.refuse({ retryable: true });
    await turn();
    clock.advance(500);
    await turn();
    expect(failures).toEqual([]);
    calls[2]?.refuse({ retryable: true });
    await expect(asked).rejects.toMatchObject({ code: "ERR_INBOX_REQUEST" });
    expect(failures).toEqual([["chat.history", false]]);
    expect(sent()).toBe(3);
    expect(clock.pending).toBe(0);
  });

  it("are not repeated where that would not help", async () => {
    const { requests, calls, failures } = openRequests();
    const asked = requests.ask("chat.history", {});
    calls[0]?.refuse();
    await expect(asked).rejects.toMatchObject({ code: "ERR_INBOX_REQUEST" });
    expect(failures).toEqual([["chat.history", false]]);
  });

  it("are known to have failed before on this connection", async () => {
    const { requests, calls, failures } = openRequests();
    for (const _ of [1, 2]) {
      const asked = requests.ask("chat.history", {});
      calls.at(-1)?.refuse();
      await expect(asked).rejects.toMatchObject({ code: "ERR_INBOX_REQUEST" });
    }
    requests.cancel();
    const asked = requests.ask("chat.history", {});
    calls.at(-1)?.refuse();
    await expect(asked).rejects.toMatchObject({ code: "ERR_INBOX_REQUEST" });
    expect(failures.map(([, isRepeat]) => isRepeat)).toEqual([false, true, false]);
  });

  it("end in time when a source ignores its signal", async () => {
    const { requests, calls, clock } = openRequests();
    const givenUp = expect(requests.ask("chat.history", {})).rejects.toMatchObject({
      code: "ERR_INBOX_REQUEST",
      details: { timeoutMs: 20_000 },
    });
    for (const delayMs of [250, 500, 0]) {
      clock.advance(20_000);
      await turn();
      clock.advance(delayMs);
      await turn();
    }
    await givenUp;
    expect(calls.map(({ signal }) => signal?.aborted)).toEqual([true, true, true]);
  });

  it("end with the connection and count no failure", async () => {
    const { requests, calls, failures, clock } = openRequests();
    const ended = Promise.allSettled(Array.from({ length: 10 }, (_, n) => requests.ask(`request ${n}`, {})));
    calls[0]?.refuse({ retryable: true });
    calls[1]?.refuse({}, "ERR_INBOX_NO_LINK");
    await turn();
    requests.cancel();
    for (const end of await ended)
      expect(end).toMatchObject({ status: "rejected", reason: { code: "ERR_INBOX_NO_LINK" } });
    expect(failures).toEqual([]);
    expect(clock.pending).toBe(0);

    const next = requests.ask("on the next connection", {});
    calls.at(-1)?.answer("well");
    await expect(next).resolves.toBe("well");
  });

  it("above 20,000 are refused", async () => {
    const { requests, failures } = openRequests();
    const waiting = Array.from({ length: 20_008 }, () => requests.ask("sessions.messages.subscribe", {}));
    const ended = Promise.allSettled(waiting);
    await expect(requests.ask("one too many", {})).rejects.toMatchObject({ code: "ERR_INBOX_REQUEST" });
    expect(failures).toEqual([["one too many", false]]);
    requests.cancel();
    await ended;
  });
});
