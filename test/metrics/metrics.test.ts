import { Registry } from "prom-client";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createInbox, type Inbox, isInboxError } from "../../src/index.ts";
import { registerMetrics } from "../../src/metrics/index.ts";
import { createMetricsText } from "../../src/metrics/text.ts";
import { createTestClock } from "../../src/testing/clock.ts";
import { turn } from "../helpers/turns.ts";

const clock = createTestClock(1_000_000);
let inbox: Inbox;
let deliver: () => Promise<void>;

beforeEach(() => {
  deliver = async () => {};
  const source = { name: 'with "quotes"', open() {}, async close() {} };
  inbox = createInbox({ clock, source, timeoutMs: Number.POSITIVE_INFINITY, deliver: () => deliver() });
});

afterEach(() => inbox.stop({ drainMs: 0 }));

const hear = (runId: string, state: string, seq: number, more: object = {}) =>
  inbox.handle({ runId, sessionKey: "agent:main:secret", seq, state, ...more });

/** One message that takes `ms` to be delivered, and some of everything else. */
async function happen(ms: number): Promise<void> {
  let done = () => {};
  deliver = () =>
    new Promise((resolve) => {
      done = resolve;
    });
  hear(`secret-${ms}`, "delta", 1, { deltaText: "secret" });
  hear(`secret-${ms}`, "delta", 1, { deltaText: "secret" });
  hear(`secret-${ms}`, "final", 2);
  hear(`failed-${ms}`, "error", 1, { errorMessage: "secret" });
  await turn();
  clock.advance(ms);
  done();
  await turn();
}

/** The lines that are not comments, by name and labels. */
function values(text: string): Map<string, number> {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ")))]),
  );
}

describe("the metrics", () => {
  it("are the inbox's counters in Prometheus' format", async () => {
    const metrics = createMetricsText(inbox, clock);
    metrics.render();
    await happen(300);
    const text = metrics.render();
    const read = values(text);
    expect(read.get("openclaw_inbox_duplicates_total")).toBe(1);
    expect(read.get('openclaw_inbox_runs_settled_total{outcome="dispatched"}')).toBe(1);
    expect(read.get('openclaw_inbox_runs_settled_total{outcome="errored"}')).toBe(1);
    expect(read.get('openclaw_inbox_links{gateway="with \\"quotes\\"",state="offline"}')).toBe(1);
    expect(read.get('openclaw_inbox_links{gateway="with \\"quotes\\"",state="live"}')).toBe(0);
    expect(text).toContain(
      "# HELP openclaw_inbox_live_runs Runs in `buffering`.\n# TYPE openclaw_inbox_live_runs gauge\nopenclaw_inbox_live_runs 0\n",
    );
    metrics.close();
  });

  it("have a histogram of delivery times, from the first read on", async () => {
    const metrics = createMetricsText(inbox, clock);
    await happen(10);
    metrics.render();
    for (const ms of [0, 5, 6, 400, 4_000_000]) await happen(ms);
    const read = values(metrics.render());
    const bucket = (le: string) => read.get(`openclaw_inbox_delivery_seconds_bucket{le="${le}"}`);
    expect(["0.005", "0.01", "0.25", "0.5", "1800", "+Inf"].map(bucket)).toEqual([2, 3, 3, 4, 4, 5]);
    expect(read.get("openclaw_inbox_delivery_seconds_count")).toBe(5);
    expect(read.get("openclaw_inbox_delivery_seconds_sum")).toBeCloseTo(4_000.411);
    metrics.close();
  });

  it("follow the naming conventions and have no run or session in a label", async () => {
    const metrics = createMetricsText(inbox, clock);
    await happen(10);
    const text = metrics.render();
    expect(text).not.toContain("secret");
    const types = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = "", type]) => [name, type] as const);
    expect(new Set(types.map(([name]) => name)).size).toBe(types.length);
    for (const [name, type] of types) {
      expect(name).toMatch(/^openclaw_inbox_[a-z_]+$/);
      expect(name.endsWith("_total")).toBe(type === "counter");
    }
    const counted = Object.keys(inbox.stats()).length;
    // The five outcomes are one metric; links and the histogram are no counters of the inbox's.
    expect(types).toHaveLength(counted - 4 + 2);
    metrics.close();
  });
});

describe("registerMetrics", () => {
  it("gives a prom-client registry the same values", async () => {
    const registry = new Registry();
    registerMetrics(inbox, registry, { clock });
    const metrics = createMetricsText(inbox, clock);
    metrics.render();
    for (const ms of [3, 700]) await happen(ms);
    const theirs = values(await registry.metrics());
    expect(theirs).toEqual(values(metrics.render()));
    expect(values(await registry.metrics())).toEqual(theirs);
    metrics.close();
  });

  it("removes them and counts no more", async () => {
    const registry = new Registry();
    const unregister = registerMetrics(inbox, registry);
    unregister();
    expect((await registry.metrics()).trim()).toBe("");
    registerMetrics(inbox, registry)();
  });

  it("serves several inboxes under different names", async () => {
    const registry = new Registry();
    registerMetrics(inbox, registry, { prefix: "first_" });
    registerMetrics(inbox, registry, { prefix: "second_" });
    await happen(1);
    const read = values(await registry.metrics());
    expect([read.get("first_runs_started_total"), read.get("second_runs_started_total")]).toEqual([2, 2]);
  });

  it("refuses taken names, wrong prefixes and unknown options", () => {
    const registry = new Registry();
    registerMetrics(inbox, registry);
    const refused = (options: object) => {
      try {
        registerMetrics(inbox, registry, options);
      } catch (error) {
        return isInboxError(error, "ERR_INBOX_OPTION") && error.message;
      }
      return "accepted";
    };
    expect(refused({})).toContain("there is a metric openclaw_inbox_frames_total already");
    expect(refused({ prefix: "9 lives" })).toContain("`prefix`");
    expect(refused({ labels: {} })).toContain("`labels`");
  });
});
