import { describe, expect, it } from "vitest";
import { endedRuns } from "../../src/recovery/history/ended-runs.ts";
import { readHistory } from "../../src/recovery/history/history.ts";
import { Requests } from "../../src/recovery/requests.ts";
import { createTestClock } from "../../src/testing/index.ts";

type Params = Readonly<Record<string, unknown>>;

/** The real thing, asked of a script. */
function scripted(answer: (params: Params, method: string) => unknown) {
  const asked: Params[] = [];
  const requests = new Requests({
    gateway: "one",
    clock: createTestClock(),
    async request(method, params) {
      asked.push(params as Params);
      return answer(params as Params, method);
    },
    onRequest: () => {},
    onFailure: () => {},
  });
  return { requests, asked };
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
  return ({ offset = 0 }: Params) => {
    const end = rows.length - (offset as number);
    const start = Math.max(0, end - page);
    return { messages: rows.slice(start, end), hasMore: start > 0, nextOffset: rows.length - start };
  };
}

const wanted = { sessionKey: "agent:main:main", since: 100, maxRows: 1_000 };
const textsOf = (history: { rows: Parameters<typeof endedRuns>[0] }) => endedRuns(history.rows).map(({ text }) => text);

describe("a history", () => {
  it("is read back to the first old row, and no further", async () => {
    const rows = [1, 2, 3, 4, 5, 6].map((n) => row(`row ${n}`, `run ${n}`, n < 4 ? n : 100 + n, `Text ${n}`));
    const { requests, asked } = scripted(pagesOf(rows));
    const history = await readHistory(requests, wanted);
    expect(asked.map(({ offset }) => offset)).toEqual([undefined, 2]);
    expect(textsOf(history)).toEqual(["Text 3", "Text 4", "Text 5", "Text 6"]);
  });

  it("is read back to where a run began that spoke again later", async () => {
    const rows = [
      row("a", "before", 40, "Old."),
      row("b", "long", 50, "It began long ago,", step),
      row("c", "long", 60, "went on,", step),
      row("d", "long", 200, "and ended."),
    ];
    const { requests, asked } = scripted(pagesOf(rows));
    const history = await readHistory(requests, wanted);
    expect(asked).toHaveLength(2);
    expect(textsOf(history).at(-1)).toBe("It began long ago,\n\nwent on,\n\nand ended.");
  });

  it("is not confused by a row that is written while it is read", async () => {
    const rows = [row("a", "one", 110, "One."), row("b", "two", 120, "Two."), row("c", "three", 130, "Three.")];
    const pages: Record<string, object> = {
      first: { messages: rows.slice(1), hasMore: true, nextOffset: 2 },
      second: { messages: rows.slice(0, 2), hasMore: false },
    };
    const { requests } = scripted(({ offset }) => (offset === undefined ? pages["first"] : pages["second"]));
    const history = await readHistory(requests, wanted);
    expect(history.rows.map(({ id }) => id)).toEqual(["a", "b", "c"]);
  });

  it("keeps both parts of a row that is told as two", async () => {
    const rows = [
      row("same", "run", 110, "Let me look.", step),
      { ...row("same", "run", 110, ""), content: [{ type: "toolCall" }], stopReason: "toolUse" },
      row("last", "run", 120, "Done."),
    ];
    const { requests } = scripted(pagesOf(rows, 50));
    expect(textsOf(await readHistory(requests, wanted))).toEqual(["Let me look.\n\nDone."]);
  });

  it("of a run whose last row is a step has no end of it", async () => {
    const { requests } = scripted(pagesOf([row("a", "run", 110, "Let me look.", step)]));
    const history = await readHistory(requests, wanted);
    expect(history.rows).toHaveLength(1);
    expect(endedRuns(history.rows)).toEqual([]);
  });

  it("is read in pages when the cursor's answer may hold only the end of a run", async () => {
    const whole = [
      row("a", "run", 110, "The beginning,", step),
      row("b", "run", 120, "the middle,", step),
      row("c", "run", 130, "the end."),
    ];
    const delta = { kind: "delta", messages: whole.slice(1).map((message) => ({ message })), deltaCursor: "next" };
    const { requests } = scripted((params) => ("cursor" in params ? delta : pagesOf(whole, 50)(params)));
    const history = await readHistory(requests, { ...wanted, cursor: "last" });
    expect(textsOf(history)).toEqual(["The beginning,\n\nthe middle,\n\nthe end."]);
  });

  it("is not read for ever where the Gateway steps on one row at a time", async () => {
    const { requests, asked } = scripted(({ offset = 0 }) => ({
      messages: [],
      hasMore: true,
      nextOffset: (offset as number) + 1,
    }));
    await readHistory(requests, wanted);
    expect(asked).toHaveLength(40);
  });

  it("has its cut rows completed, the needed ones only", async () => {
    const cut = (id: string, at: number) => ({
      ...row(id, id, at, "Cut"),
      __openclaw: { id, runId: id, recordTimestampMs: at, truncated: true },
    });
    const { requests, asked } = scripted((params, method) =>
      method === "chat.message.get"
        ? { ok: true, message: row(String(params["messageId"]), "any", 0, "Whole") }
        : { messages: [cut("old", 50), cut("new", 150)], hasMore: false },
    );
    const history = await readHistory(requests, wanted);
    expect(history.rows.map(({ text }) => text)).toEqual(["Cut", "Whole"]);
    expect(asked.flatMap(({ messageId = [] }) => messageId)).toEqual(["new"]);
  });
});
