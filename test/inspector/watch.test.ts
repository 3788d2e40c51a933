import { afterEach, describe, expect, it } from "vitest";
import { createInbox, createMemoryLedger, type Inbox, type InboxOptions } from "../../src/index.ts";
import { DeadLetters } from "../../src/inspector/dead-letters.ts";
import { FollowedRuns } from "../../src/inspector/followed-runs.ts";
import { wantedRuns } from "../../src/inspector/search.ts";
import { followEnds, Watch } from "../../src/inspector/watch.ts";
import type { RunDetails, Update } from "../../src/inspector/wire.ts";
import { createTestClock } from "../../src/testing/clock.ts";
import { turn } from "../helpers/turns.ts";

const KEY = "agent:main:collavre:42:creative:100";
let clock = createTestClock(1_000_000);
let inbox: Inbox;
let watch: Watch;
let runs: FollowedRuns;
let letters: DeadLetters;
const seen = { live: 0, settled: 0, samples: 0 };
/** Lists are sent only when they have changed: the last that were. */
const none = { total: 0, rows: [] };
let lists: Required<Pick<Update, "live" | "settled">> = { live: none, settled: none };

function open(options: InboxOptions = {}, showText = false): void {
  clock = createTestClock(1_000_000);
  inbox = createInbox({ clock, ...options });
  runs = new FollowedRuns(showText);
  letters = new DeadLetters(inbox, showText);
  followEnds(inbox, clock, runs);
  startWatching();
}

/** With a ledger that takes its time over a message: until what comes back is called. */
function openWithSlowLedger(): () => void {
  let written = (_: "taken"): void => {};
  const taking = new Promise<"taken">((resolve) => {
    written = resolve;
  });
  open({ ledger: { ...createMemoryLedger(), take: () => taking } });
  return () => written("taken");
}

function startWatching(): void {
  watch = new Watch(inbox, clock, runs);
  Object.assign(seen, { live: 0, settled: 0, samples: 0 });
  lists = { live: none, settled: none };
}

afterEach(async () => {
  watch.close();
  await inbox.stop();
});

function look(): Omit<Update, "showText"> & typeof lists {
  const update = watch.updateFor(watch.shared(), seen);
  const { live = lists.live, settled = lists.settled } = update;
  lists = { live, settled };
  return { ...update, ...lists };
}

const hear = (runId: string, state: string, seq: number, more: object = {}) =>
  inbox.handle({ runId, sessionKey: KEY, seq, state, ...more });
const say = (text: string) => ({ message: { role: "assistant", content: [{ type: "text", text }] } });

function detailsOf(runId: string): RunDetails {
  const update = look();
  const row = [...update.live.rows, ...update.settled.rows].find((run) => run.runId === runId);
  return runs.details(row?.number ?? 0, clock.now()) as RunDetails;
}

const told = (runId: string) =>
  detailsOf(runId).entries.map(({ afterMs, what }) => {
    switch (what.kind) {
      case "event":
        return `${afterMs} ${what.state} ${what.seq} ${what.effect}${what.chars === undefined ? "" : ` ${what.chars}`}`;
      case "settled":
        return `${afterMs} ${what.status}${what.reason ? ` (${what.reason})` : ""}${what.late ? " late" : ""}`;
      case "joined":
        return `${afterMs} joined ${what.chars}`;
      default:
        return `${afterMs} ${what.kind} ${what.attempt}`;
    }
  });

describe("a watched run", () => {
  it("has each event with time and effect, its end and its attempts", async () => {
    let fails = 1;
    open({
      random: () => 0.5,
      deliver: () => {
        if (fails-- > 0) throw new Error("busy");
      },
    });
    hear("r", "delta", 1, { deltaText: "Hel" });
    clock.advance(75);
    hear("r", "delta", 2, { deltaText: "lo" });
    hear("r", "delta", 2, { deltaText: "lo" });
    expect(look().live.rows).toMatchObject([{ runId: "r", sessionKey: KEY, chars: 5, deltas: 2, duplicates: 1 }]);
    clock.advance(25);
    hear("r", "final", 3, say("Hello!"));
    hear("r", "delta", 4, { deltaText: "late" });
    await turn();
    clock.advance(500);
    await turn();
    expect(told("r")).toEqual([
      "0 delta 1 taken 3",
      "75 delta 2 taken 5",
      "75 delta 2 duplicate",
      "100 final 3 taken 6",
      "100 dispatched",
      "100 delta 4 after-end",
      "100 attempt 1",
      "100 retry 1",
      "600 attempt 2",
      "600 delivered 2",
    ]);
    expect(look().settled.rows).toMatchObject([
      { runId: "r", status: "dispatched", delivery: "delivered", attempts: 2, late: 1, duplicates: 1, chars: 6 },
    ]);
    expect(look().live).toEqual({ total: 0, rows: [] });
  });

  it("stays one line when a final comes after its end", async () => {
    open();
    hear("r", "error", 1, { errorMessage: "overloaded", errorKind: "provider" });
    expect(look().settled.rows).toMatchObject([{ status: "errored", reason: "provider (10 characters)" }]);
    hear("r", "final", 2, say("after all"));
    await turn();
    expect(look().settled).toMatchObject({ total: 1, rows: [{ status: "dispatched", reason: "late" }] });
    expect(told("r").slice(0, 4)).toEqual([
      "0 error 1 taken",
      "0 errored (provider (10 characters))",
      "0 final 2 taken 9",
      "0 dispatched (late) late",
    ]);
  });

  it("is seen from where it stands when the watch begins", () => {
    open();
    watch.close();
    hear("r", "delta", 1, { deltaText: "Hello" });
    clock.advance(2_000);
    startWatching();
    hear("r", "delta", 2, { deltaText: " you" });
    expect(look().live.rows).toMatchObject([{ runId: "r", chars: 9, startedAt: clock.now() - 2_000 }]);
    expect(told("r")).toEqual(["2000 joined 5", "2000 delta 2 taken 9"]);
  });

  it("has the session that a later delta names", () => {
    open();
    inbox.handle({ runId: "r", seq: 1, state: "delta", deltaText: "Hel" });
    expect(look().live.rows).toMatchObject([{ sessionKey: undefined }]);
    hear("r", "delta", 2, { deltaText: "lo" });
    clock.advance(1_000);
    expect(look().live.rows).toMatchObject([{ sessionKey: KEY, deltas: 2 }]);
    hear("r", "aborted", 3);
    expect(look().settled.rows).toMatchObject([{ sessionKey: KEY, deltas: 2, chars: 5 }]);
  });

  it("is another line when its id begins anew long after its end", () => {
    open({ settledWindowMs: 60_000 });
    hear("r", "delta", 1, { deltaText: "Hello" });
    hear("r", "aborted", 2);
    clock.advance(60_000);
    hear("r", "delta", 3, { deltaText: "Again" });
    hear("r", "delta", 4, { deltaText: "!" });
    const { live, settled } = look();
    expect(live.rows).toMatchObject([{ runId: "r", chars: 6, deltas: 2, startedAt: clock.now() }]);
    expect(settled.rows).toMatchObject([{ runId: "r", status: "aborted", chars: 5, deltas: 1 }]);
    expect(told("r")).toEqual(["0 delta 3 taken 5", "0 delta 4 taken 6"]);
    expect(runs.details(settled.rows[0]?.number ?? 0, clock.now())).toMatchObject({
      dropped: 0,
      entries: { length: 3 },
    });
  });

  it("ends when the ledger knew its message already", async () => {
    const ledger = createMemoryLedger();
    open({ ledger, settledWindowMs: 0, dedupWindowMs: 0 });
    hear("r", "final", 1, say("once"));
    hear("r", "final", 1, say("once"));
    expect(look().live.rows).toHaveLength(1);
    clock.advance(1_000);
    expect(watch.takeChange()).toBe(true);
    expect(look()).toMatchObject({ live: { total: 0, rows: [] }, settled: { total: 1, rows: [{ status: "gone" }] } });
  });

  it("does not end before the ledger has taken its message", async () => {
    const written = openWithSlowLedger();
    clock.advance(900);
    hear("r", "final", 1, say("Hello"));
    clock.advance(100);
    watch.takeChange();
    expect(look().live.rows).toHaveLength(1);
    written();
    await turn();
    expect(told("r").slice(0, 2)).toEqual(["0 final 1 taken 5", "100 dispatched"]);
  });

  it("is one line when its outcome comes late", async () => {
    const written = openWithSlowLedger();
    hear("r", "final", 1, say("Hello"));
    clock.advance(1_100);
    watch.takeChange();
    expect(look().settled).toMatchObject({ total: 1, rows: [{ status: "gone" }] });
    written();
    await turn();
    expect(look().settled).toMatchObject({ total: 1, rows: [{ runId: "r", status: "dispatched" }] });
  });

  it("ends without an outcome when the inbox is stopped", async () => {
    open();
    hear("r", "delta", 1, { deltaText: "Hel" });
    await inbox.stop();
    expect(look().settled.rows).toMatchObject([{ runId: "r", status: "gone", reason: "the inbox was stopped" }]);
    expect(look().live).toEqual({ total: 0, rows: [] });
  });

  it("has a rate over the last one or two seconds", () => {
    open();
    const rates: unknown[] = [];
    for (let seq = 1; seq <= 40; seq += 1) {
      hear("r", "delta", seq, { deltaText: "x" });
      clock.advance(100);
      if (seq % 5 === 0) rates.push((look().live.rows[0] as { deltasPerSecond: number }).deltasPerSecond);
    }
    // The first half second is too short to tell.
    expect(rates).toEqual([5, 10, 10, 10, 10, 10, 10, 10]);
    clock.advance(2_000);
    look();
    clock.advance(1_000);
    expect(look().live.rows).toMatchObject([{ deltasPerSecond: 0, deltas: 40 }]);
  });

  it("is not seen after the watch is closed", () => {
    open();
    watch.close();
    inbox.activity$.subscribe(() => watch.close());
    startWatching();
    hear("r", "delta", 1, { deltaText: "Hel" });
    expect(look().live.rows).toEqual([]);
  });

  it("says how it expired, was aborted or discarded", () => {
    open({ ttlMs: 60_000 });
    hear("slow", "delta", 1, { deltaText: "…" });
    clock.advance(60_000);
    hear("stopped", "aborted", 1);
    hear("quiet", "final", 1);
    expect(look().settled.rows.map(({ runId, status, reason }) => [runId, status, reason])).toEqual([
      ["quiet", "discarded", "empty"],
      ["stopped", "aborted", undefined],
      ["slow", "expired", undefined],
    ]);
  });

  it("is seen from its delivery when it was dispatched before", async () => {
    open({ deliver: () => Promise.reject(new Error("no")), retry: { maxAttempts: 2, firstDelayMs: 10 } });
    watch.close();
    hear("r", "final", 1, say("Hello"));
    await turn();
    startWatching();
    clock.advance(10);
    await turn();
    expect(look().settled.rows).toMatchObject([{ runId: "r", status: "dispatched", delivery: "dead", attempts: 2 }]);
    expect(await letters.page("")).toMatchObject({ rows: [{ runId: "r", attempts: 2, error: "no", chars: 5 }] });
  });
});

describe("message text", () => {
  const secret = "the secret words";
  const tell = () => {
    hear("r", "delta", 1, { deltaText: secret });
    hear("live", "delta", 1, { deltaText: secret });
    hear("bad", "error", 1, say(secret));
    const live = JSON.stringify([look(), detailsOf("live")]);
    hear("r", "final", 2, say(secret));
    return `${live}${JSON.stringify([look(), detailsOf("r"), detailsOf("bad")])}`;
  };

  it("is hidden by default", () => {
    open();
    expect(tell()).not.toContain("secret");
    expect(look().settled.rows.find(({ runId }) => runId === "bad")?.reason).toBe("(16 characters)");
  });

  it("is hidden where a handler's error quotes it", async () => {
    const deliver = () => {
      throw new Error(`invalid input: "${secret}"`);
    };
    open({ deliver, retry: { maxAttempts: 2, firstDelayMs: 10 } });
    hear("r", "final", 1, say(`${secret} and some more of them`));
    await turn();
    clock.advance(10);
    await turn();
    const shown = JSON.stringify([look(), detailsOf("r"), await letters.page("")]);
    expect(shown).not.toContain("secret");
    expect(look().settled.rows).toMatchObject([{ delivery: "dead", error: "(it quotes the message: 33 characters)" }]);
  });

  it("is shown on request", () => {
    open({}, true);
    tell();
    expect(detailsOf("r").text).toBe(secret);
    expect(detailsOf("live")).toMatchObject({ text: secret, entries: [{ what: { text: secret } }] });
    expect(look().settled.rows).toContainEqual(expect.objectContaining({ runId: "bad", reason: secret }));
  });
});

describe("a run that nobody watched", () => {
  it("is kept with its end, its message and its delivery", async () => {
    open({ deliver: () => Promise.reject(new Error("no")), retry: { maxAttempts: 1 } });
    watch.close();
    hear("spoke", "delta", 1, { deltaText: "Hello" });
    clock.advance(2_000);
    hear("spoke", "final", 2);
    hear("failed", "error", 1, { errorMessage: "overloaded" });
    await turn();
    startWatching();
    const { rows } = look().settled;
    expect(rows).toMatchObject([
      { number: -2, runId: "failed", status: "errored" },
      { number: -1, runId: "spoke", status: "dispatched", delivery: "dead", attempts: 1, error: "no", chars: 5 },
    ]);
    expect(rows[1]?.messageId).toMatch(/^msg_/);
    expect((rows[1]?.settledAt ?? 0) - (rows[1]?.startedAt ?? 0)).toBe(2_000);
    expect(told("spoke")).toEqual(["2000 dispatched", "2000 dead 1"]);
  });

  it("shows how a delivery stands that goes on", async () => {
    let fails = true;
    const { promise, resolve } = Promise.withResolvers<void>();
    const deliver = () => (fails ? Promise.reject(new Error("no")) : promise);
    open({ deliver, retry: { maxAttempts: 5, firstDelayMs: 10_000 }, random: () => 0.5 });
    const startedAt = clock.now();
    watch.close();
    hear("waits", "final", 1, say("Hello"));
    await turn();
    fails = false;
    inbox.handle({ runId: "hangs", sessionKey: "agent:main:other", seq: 1, state: "final", ...say("Hello") });
    await turn();
    clock.advance(1_000);
    startWatching();
    expect(look().settled.rows).toMatchObject([
      { runId: "hangs", delivery: "attempting", attempts: 1, retryAt: undefined, error: undefined },
      { runId: "waits", delivery: "waiting", attempts: 1, retryAt: startedAt + 5_000, error: "no" },
    ]);
    expect(told("waits")).toEqual(["0 dispatched", "1000 retry 1"]);
    expect(told("hangs")).toEqual(["0 dispatched"]);
    clock.advance(4_000);
    await turn();
    expect(look().settled.rows[1]).toMatchObject({ delivery: "attempting", attempts: 2, retryAt: undefined });
    resolve();
    await turn();
    const ended = { delivery: "delivered", retryAt: undefined, error: undefined };
    expect(look().settled.rows).toMatchObject([ended, ended]);
  });

  it("is found by its origin and shows when it began", async () => {
    open({ ttlMs: 60_000 });
    watch.close();
    const job = { sessionKey: "agent:main:cron:job-1" };
    for (const run of ["failed", "stopped", "silent"]) hear(run, "delta", 1, { ...job, deltaText: "Hel" });
    clock.advance(2_000);
    hear("failed", "error", 2, job);
    hear("stopped", "aborted", 2, job);
    hear("asked", "status", 1);
    hear("asked", "error", 2);
    clock.advance(58_000);
    startWatching();
    const found = (origin: string) => wantedRuns(runs, new URLSearchParams({ origin }), clock.now()).settled.rows;
    expect(found("requested")).toMatchObject([{ runId: "asked" }]);
    expect(found("cron").map(({ runId, startedAt, settledAt }) => [runId, settledAt - startedAt])).toEqual([
      ["silent", 60_000],
      ["stopped", 2_000],
      ["failed", 2_000],
    ]);
  });

  it("is one line with its late final and another when its id begins anew", async () => {
    open({ settledWindowMs: 60_000 });
    watch.close();
    hear("r", "aborted", 1);
    hear("r", "final", 2, say("after all"));
    await turn();
    clock.advance(60_000);
    hear("r", "aborted", 3);
    startWatching();
    expect(look().settled.rows).toMatchObject([
      { runId: "r", status: "aborted" },
      { runId: "r", status: "dispatched", reason: "late" },
    ]);
  });

  it("is seen from when somebody watches again", () => {
    open();
    hear("r", "delta", 1, { deltaText: "Hel" });
    watch.close();
    hear("r", "delta", 2, { deltaText: "lo" });
    startWatching();
    hear("r", "delta", 3, { deltaText: "!" });
    expect(told("r")).toEqual(["0 joined 5", "0 delta 3 taken 6"]);
    expect(detailsOf("r").dropped).toBe(0);
  });
});

describe("a search for runs", () => {
  it("finds them by session, run or message and by outcome or origin", async () => {
    open();
    hear("alpha", "final", 1, say("Hello"));
    hear("beta", "aborted", 1);
    hear("gamma", "delta", 1, { deltaText: "Hi" });
    inbox.handle({
      runId: "cron:job-1:2",
      sessionKey: "agent:main:cron:job-1",
      seq: 1,
      state: "final",
      ...say("Tick"),
    });
    await turn();
    const found = (query: string) => {
      const { live, settled } = wantedRuns(runs, new URLSearchParams(query), clock.now());
      return [...live.rows, ...settled.rows].map(({ runId }) => runId);
    };
    const messageId = look().settled.rows.find(({ runId }) => runId === "alpha")?.messageId ?? "";
    expect(found("q=CREATIVE:100")).toEqual(["gamma", "beta", "alpha"]);
    expect(found("q=alph")).toEqual(["alpha"]);
    expect(found(`q=${messageId}`)).toEqual(["alpha"]);
    expect(found("outcome=aborted")).toEqual(["beta"]);
    expect(found("outcome=delivered")).toEqual(["cron:job-1:2", "alpha"]);
    expect(found("origin=cron")).toEqual(["cron:job-1:2"]);
    expect(found("q=nobody")).toEqual([]);
    expect(found("q=__proto__&outcome=constructor")).toEqual([]);
  });
});

describe("the limits of what the inspector keeps", () => {
  it("are the 100 newest rows a list with the whole count", () => {
    open();
    for (let run = 0; run < 10_000; run += 1) hear(`run-${run}`, "delta", 1, { deltaText: "x" });
    const { live } = look();
    expect(live.total).toBe(10_000);
    expect(live.rows).toHaveLength(100);
    expect(live.rows[0]?.runId).toBe("run-9999");
  });

  it("are ten updates a second and fewer beside many runs", () => {
    open();
    const pauses: unknown[] = [];
    for (let run = 1; run <= 1_001; run += 1) {
      hear(`run-${run}`, "delta", 1, { deltaText: "x" });
      if (![30, 31, 1_000, 1_001].includes(run)) continue;
      clock.advance(1_000);
      look();
      pauses.push(watch.pauseMs);
    }
    expect(pauses).toEqual([100, 333, 333, 1_000]);
  });

  it("are 1,000 settled runs with the rows of the latest", () => {
    open();
    for (let run = 0; run < 1_500; run += 1) hear(`run-${run}`, "aborted", 1);
    expect(look().settled).toMatchObject({ total: 1_000 });
    expect(look().settled.rows.map(({ runId }) => runId)).toEqual(
      Array.from({ length: 100 }, (_, index) => `run-${1_499 - index}`),
    );
    expect(runs.details(1, clock.now())).toBeUndefined();
  });

  it("are 200 entries a timeline, the first four and the latest", () => {
    open();
    for (let seq = 1; seq <= 1_000; seq += 1) hear("r", "delta", seq, { deltaText: "x" });
    const { entries, dropped } = detailsOf("r");
    expect(entries).toHaveLength(200);
    expect(dropped).toBe(800);
    expect(told("r").slice(3, 5)).toEqual(["0 delta 4 taken 4", "0 delta 805 taken 805"]);
  });

  it("are 300 samples, each sent once", () => {
    open();
    for (let second = 0; second < 400; second += 1) {
      hear("r", "delta", second, { deltaText: "x" });
      clock.advance(1_000);
      watch.takeChange();
    }
    const { samples } = look();
    expect(samples).toHaveLength(300);
    expect(samples.at(-1)).toMatchObject({ at: clock.now(), events: 1, messages: 0, liveRuns: 1, latencyMs: null });
    expect(look().samples).toEqual([]);
  });
});
