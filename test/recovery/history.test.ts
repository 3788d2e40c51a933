import { describe, expect, it } from "vitest";
import { Slots } from "../../src/kit/slots.ts";
import type { SessionRow } from "../../src/protocol/transcript-row.ts";
import { endedRuns, textOf } from "../../src/recovery/history/ended-runs.ts";
import { firstNew } from "../../src/recovery/history/first-new.ts";
import { Histories, type HistoryRequest, type SessionHistory } from "../../src/recovery/history/history.ts";
import { Requests } from "../../src/recovery/requests.ts";
import { createTestClock } from "../../src/testing/index.ts";
import type { Rejection } from "../../src/types.ts";

type Params = Readonly<Record<string, unknown>>;

/** Histories of a Gateway that answers as scripted. */
function scripted(answer: (params: Params, method: string) => unknown, maxRows = 1_000) {
  const asked: Params[] = [];
  const requests = new Requests({
    gateway: "one",
    clock: createTestClock(),
    async request(method, params) {
      asked.push(params as Params);
      return answer(params as Params, method);
    },
    report: { requested: () => {}, requestFailed: () => {} },
  });
  const rejected: Rejection[] = [];
  const report = { rejected: (rejection: Rejection) => void rejected.push(rejection) };
  const generation = { masksIds: false };
  const histories = new Histories({ gateway: "one", requests, report, generation, slots: new Slots(4), maxRows });
  const read = (request: Partial<HistoryRequest> = {}) =>
    histories.use({ ...wanted, ...request }, async (history: SessionHistory) => history);
  /** The texts of all runs that ended, whole. */
  const texts = async (request: Partial<HistoryRequest> = {}) =>
    histories.use({ ...wanted, ...request }, async ({ rows }) => {
      const found: string[] = [];
      for (const run of endedRuns(rows)) found.push(textOf(await histories.whole(wanted.address, run), "\n\n"));
      return found;
    });
  return { asked, read, texts, rejected };
}

const row = (id: string, runId: string, at: number, words: string, more: object = {}) => ({
  role: "assistant",
  content: [{ type: "text", text: words }],
  stopReason: "stop",
  ...more,
  __openclaw: { id, runId, recordTimestampMs: at },
});
const step = { stopReason: undefined, openclawStreamFallback: {} };

/** Pages of these rows, oldest first, as a Gateway makes them: counted from the newest. */
function pagesOf(rows: readonly object[], page = 2) {
  return ({ offset = 0, limit }: Params) => {
    const end = rows.length - (offset as number);
    const start = Math.max(0, end - Math.min(page, limit as number));
    return { messages: rows.slice(start, end), hasMore: start > 0, nextOffset: rows.length - start };
  };
}

const wanted: HistoryRequest = { address: { key: "agent:main:main" }, place: { at: 100 }, believesTimes: true };

describe("a history", () => {
  it("is read back to the row that was heard last", async () => {
    const rows = [1, 2, 3, 4, 5, 6].map((n) => row(`row ${n}`, `run ${n}`, n, `Text ${n}`));
    const { read, asked } = scripted(pagesOf(rows));
    const history = await read({ place: { rowId: "row 3" } });
    expect(asked.map(({ offset }) => offset)).toEqual([undefined, 2]);
    expect(history.rows.slice(history.firstNew).map(({ text }) => text)).toEqual(["Text 4", "Text 5", "Text 6"]);
  });

  it("is read back to where a later run began", async () => {
    const rows = [
      row("a", "before", 40, "Old."),
      row("b", "long", 50, "It began long ago,", step),
      row("c", "long", 60, "went on,", step),
      row("d", "long", 200, "and ended."),
    ];
    const { texts, asked } = scripted(pagesOf(rows));
    expect((await texts()).at(-1)).toBe("It began long ago,\n\nwent on,\n\nand ended.");
    expect(asked).toHaveLength(2);
  });

  it("is read right while a row is written", async () => {
    const rows = [row("a", "one", 110, "One."), row("b", "two", 120, "Two."), row("c", "three", 130, "Three.")];
    const pages: Record<string, object> = {
      first: { messages: rows.slice(1), hasMore: true, nextOffset: 2 },
      second: { messages: rows.slice(0, 2), hasMore: false },
    };
    const { read } = scripted(({ offset }) => (offset === undefined ? pages["first"] : pages["second"]));
    expect((await read()).rows.map(({ id }) => id)).toEqual(["a", "b", "c"]);
  });

  it("keeps both parts of a row that comes as two", async () => {
    const rows = [
      row("same", "run", 110, "Let me look.", step),
      { ...row("same", "run", 110, ""), content: [{ type: "toolCall" }], stopReason: "toolUse" },
      row("last", "run", 120, "Done."),
    ];
    const { texts } = scripted(pagesOf(rows, 50));
    expect(await texts()).toEqual(["Let me look.\n\nDone."]);
  });

  it("keeps two texts of equal length that a row has before its tool call", async () => {
    const rows = [
      row("same", "run", 110, "One.", step),
      row("same", "run", 110, "Two.", step),
      { ...row("same", "run", 110, ""), content: [{ type: "toolCall" }], stopReason: "toolUse" },
      row("last", "run", 120, "Done."),
    ];
    const { texts } = scripted(pagesOf(rows, 50));
    expect(await texts()).toEqual(["One.\n\nTwo.\n\nDone."]);
  });

  it("has a row once where the pages are shifted by rows that are written meanwhile", async () => {
    const rows = Array.from({ length: 40 }, (_, n) => row(`row ${n}`, `run ${n}`, 200 + n, `Text ${n}.`));
    const { texts } = scripted((params) => {
      const answer = pagesOf(rows, 50)(params);
      for (let n = 0; n < 3; n += 1) rows.push(row(`new ${rows.length}`, `new ${rows.length}`, 300, "New."));
      return answer;
    });
    expect(await texts()).toEqual(Array.from({ length: 40 }, (_, n) => `Text ${n}.`));
  });

  it("has no end of a run whose last row is a step", async () => {
    const { read } = scripted(pagesOf([row("a", "run", 110, "Let me look.", step)]));
    const { rows } = await read();
    expect(rows).toHaveLength(1);
    expect(endedRuns(rows)).toEqual([]);
  });

  it("is read with an end where the Gateway gives one row at a time", async () => {
    const { read, asked } = scripted(({ offset = 0 }) => ({
      messages: [],
      hasMore: true,
      nextOffset: (offset as number) + 1,
    }));
    expect((await read()).isCut).toBe(true);
    expect(asked).toHaveLength(41);
  });

  it("says that there was more than may be read", async () => {
    const rows = Array.from({ length: 200 }, (_, n) => row(`row ${n}`, `run ${n}`, 200 + n, "Text."));
    const { read } = scripted(pagesOf(rows, 50), 100);
    const history = await read();
    expect(history).toMatchObject({ isCut: true, rows: { length: 100 } });
  });

  it("counts a row that is refused for the length of an id", async () => {
    const long = row("x".repeat(1_025), "run", 110, "Refused.");
    const prompt = { role: "user", content: "Say it.", idempotencyKey: "x".repeat(1_025) };
    const { read, rejected } = scripted(() => ({ messages: [long, prompt, row("a", "run", 120, "Read.")] }));
    expect((await read()).rows.map(({ text }) => text)).toEqual(["Read."]);
    expect(rejected).toEqual([
      { gateway: "one", reason: "bad-id" },
      { gateway: "one", reason: "bad-id" },
    ]);
  });

  it("does not count a row that tells a listener nothing", async () => {
    const result = { role: "toolResult", content: "42" };
    const { read, rejected } = scripted(() => ({ messages: [result, row("a", "run", 120, "Read.")] }));
    await read();
    expect(rejected).toEqual([]);
  });

  it("stops at 16 MiB of text", async () => {
    const words = "x".repeat(400_000);
    const rows = Array.from({ length: 200 }, (_, n) => row(`row ${n}`, `run ${n}`, 200 + n, words));
    const { read, asked } = scripted(pagesOf(rows, 10));
    expect((await read()).isCut).toBe(true);
    expect(asked).toHaveLength(3);
  });

  it("completes cut texts of the needed runs only", async () => {
    const cut = (id: string, at: number) => ({
      ...row(id, id, at, "Cut\n...(truncated)..."),
      __openclaw: { id, runId: id, recordTimestampMs: at, truncated: true },
    });
    const { read, texts, asked } = scripted((params, method) =>
      method === "chat.message.get"
        ? { ok: true, message: row(String(params["messageId"]), "any", 0, "Cut no more") }
        : { messages: [cut("new", 150)], hasMore: false },
    );
    await read();
    expect(asked.flatMap(({ messageId = [] }) => messageId)).toEqual([]);
    expect(await texts()).toEqual(["Cut no more"]);
  });

  it("completes a cut text that shares its id with a tool call", async () => {
    const first = "a".repeat(9_000);
    const mark = { runId: "run-1", id: "row-1", recordTimestampMs: 2_000, seq: 2 };
    const call = { role: "assistant", stopReason: "toolUse", content: [{ type: "toolCall" }], __openclaw: mark };
    const said = (text: string, truncated: boolean) => ({
      role: "assistant",
      content: [{ type: "text", text }],
      openclawStreamFallback: { replacementText: text },
      __openclaw: { ...mark, ...(truncated && { truncated: true, reason: "display-cap" }) },
    });
    const last = row("row-3", "run-1", 3_000, "The end.");
    const { texts } = scripted(({ maxChars }, method) => {
      if (method === "chat.message.get") return { ok: true, message: call };
      const text =
        maxChars === undefined ? said(`${first.slice(0, 8_000)}\n...(truncated)...`, true) : said(first, false);
      return { messages: [text, call, last], hasMore: false };
    });
    expect(await texts()).toEqual([`${first}\n\nThe end.`]);
  });

  it("reads no id of more than 1,024 characters", async () => {
    const { read } = scripted(() => ({
      messages: [],
      inFlightRun: { runId: "x".repeat(1_048_576), text: "Hi" },
      sessionInfo: { activeRunIds: ["y".repeat(2_000), "run-1"] },
    }));
    const history = await read();
    expect(history.inFlight).toBeUndefined();
    expect([...history.active]).toEqual(["run-1"]);
  });
});

describe("the first new row", () => {
  const at = (id: string, time: number, more: Partial<SessionRow> = {}): SessionRow => ({
    kind: "reply",
    text: id,
    truncated: false,
    id,
    at: time,
    ...more,
  });
  const rows = [at("a", 1_000, { seq: 1 }), at("b", 2_000, { seq: 2 }), at("c", 500, { seq: 3 })];

  it("comes after the row that was heard, whatever the clocks say", () => {
    expect(firstNew({ rows }, { rowId: "b", at: 9_999, seq: 9 }, true)).toBe(2);
    expect(firstNew({ rows }, { rowId: "c" }, true)).toBe(3);
  });

  it("is the first of all when the session began anew", () => {
    expect(firstNew({ rows, sessionId: "new" }, { rowId: "gone", sessionId: "old", seq: 2 }, true)).toBe(0);
  });

  it("is found by its number when the row is gone", () => {
    expect(firstNew({ rows, sessionId: "s" }, { rowId: "gone", sessionId: "s", seq: 2 }, true)).toBe(2);
  });

  it("is found by the last run when no row was heard", () => {
    const named = rows.map((row, n) => ({ ...row, runId: `run-${n}` }));
    expect(firstNew({ rows: named }, { lastRunId: "run-1", at: 5_000 }, true)).toBe(2);
  });

  it("is found by its time when nothing else is known", () => {
    expect(firstNew({ rows: rows.slice(0, 2) }, { at: 1_000 }, true)).toBe(1);
    expect(firstNew({ rows: rows.slice(0, 2) }, { at: 2_000 }, true)).toBe(2);
  });

  it("comes after the row nearest in time when a clock was set", () => {
    expect(firstNew({ rows }, { at: 2_010 }, false)).toBe(2);
  });
});
