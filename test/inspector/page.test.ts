import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import type { AxeResults } from "axe-core";
import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createInbox, type Inbox, type InboxOptions, PermanentError } from "../../src/index.ts";
import { createInspector, type Inspector, type InspectorOptions } from "../../src/inspector/index.ts";
import { createFakeGateway, type FakeGateway } from "../../src/testing/index.ts";
import { chromiumFor, launchChromium } from "../helpers/chromium.ts";

const chromium = chromiumFor("THE INSPECTOR'S PAGE");
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const KEY = "agent:main:collavre:42:creative:100:topic:200";

let browser: Browser;
let page: Page;
let gateway: FakeGateway;
let inbox: Inbox;
let inspector: Inspector;
/** What the page complained of: nothing, in the end. */
let complaints: string[];

async function open(inboxOptions: InboxOptions = {}, options: InspectorOptions = {}): Promise<void> {
  gateway = await createFakeGateway();
  inbox = createInbox({ gateway: { url: gateway.url, token: gateway.token }, ...inboxOptions });
  await inbox.start();
  inspector = await createInspector(inbox, options);
  await page.goto(inspector.url);
  await page.locator('#connection[data-state="watching"]').waitFor();
}

const rowOf = (list: "live" | "settled", session: string) =>
  page.locator(`#${list} tr`, { has: page.getByRole("button", { name: session, exact: true }) });
const countIn = (machine: string, state: string) =>
  page.locator(`#machine-${machine} [data-state="${state}"]`).getAttribute("data-count").then(Number);
const takenIn = (machine: string, transition: string) =>
  page.locator(`#machine-${machine} [data-transition="${transition}"]`).getAttribute("data-taken").then(Number);
const row = (list: "live" | "settled" | "dead", index = 0) => page.locator(`#${list} tr`).nth(index);
const fact = (name: string) =>
  page.locator("#details-facts > div", { has: page.locator("dt", { hasText: new RegExp(`^${name}$`) }) }).locator("dd");
const until = (probe: () => Promise<unknown> | unknown) => expect.poll(probe, { timeout: 5_000, interval: 30 });

describe.skipIf(chromium === undefined)("the inspector's page", { timeout: 60_000 }, () => {
  beforeAll(async () => {
    browser = await launchChromium(chromium ?? "");
  });

  afterAll(() => browser?.close());

  beforeEach(async () => {
    page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    complaints = [];
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
    });
    page.on("pageerror", (error) => complaints.push(String(error)));
  });

  afterEach(async () => {
    await page.close();
    await inspector?.close();
    await inbox?.stop({ drainMs: 0 });
    await gateway?.close();
    expect(complaints).toEqual([]);
  });

  it("shows each run of a recording through its states", async () => {
    /** The lengths of the messages, latest first. */
    const chars: string[] = [];
    await open({ deliver: ({ text }) => void chars.unshift(`${text.length}`) });
    const playing = gateway.play("k2-ten-at-once", { speed: 2 });
    await until(() => countIn("run", "buffering")).toBeGreaterThan(5);
    await until(() => page.locator("#live tr").count()).toBeGreaterThan(5);
    await playing;
    await until(() => countIn("run", "dispatched")).toBe(10);
    await until(() => countIn("delivery", "delivered")).toBe(10);
    await until(() => countIn("run", "buffering")).toBe(0);
    expect(await countIn("link", "live")).toBe(1);
    expect(await page.locator("#live tr").count()).toBe(0);
    const settled = await page.locator("#settled tr").allInnerTexts();
    expect(settled.map((line) => /dispatched.*delivered\s+([\d,]+)/s.exec(line)?.[1])).toEqual(chars);
    expect(await takenIn("run", "buffering:final:dispatched")).toBe(10);
    expect(await takenIn("run", "buffering:delta:buffering")).toBe(inbox.stats().events - 10);
    expect(await takenIn("delivery", "attempting:succeeded:delivered")).toBe(10);
  });

  it("shows each event of a run's timeline at a click", async () => {
    let fails = 1;
    await open({
      random: () => 0.1,
      deliver: () => {
        if (fails-- > 0) throw new Error("The receiver is busy");
      },
    });
    const hear = (seq: number, state: string, more: object = {}) =>
      inbox.handle({ runId: "run-1", sessionKey: KEY, seq, state, ...more });
    hear(1, "delta", { deltaText: "Hel" });
    hear(2, "delta", { deltaText: "lo" });
    hear(2, "delta", { deltaText: "lo" });
    await rowOf("live", KEY).waitFor();
    expect(await rowOf("live", KEY).textContent()).toContain("1 duplicate");
    await rowOf("live", KEY).getByRole("button").click();
    const lines = page.locator("#details-timeline li");
    await until(() => lines.count()).toBe(3);
    hear(3, "final");
    hear(4, "delta", { deltaText: "!" });
    // Four events, two marked ones, the end, and two attempts: the first failed.
    await until(() => lines.count()).toBe(10);
    const told = (await lines.allInnerTexts()).map((line) =>
      line.replace(/^\+[\d.]+ s\s+/, "").replaceAll("\n", " | "),
    );
    expect(told).toEqual([
      "delta · seq 1 · +3 → 3 characters",
      "delta · seq 2 · +2 → 5 characters",
      "delta · seq 2 | duplicate",
      "final · seq 3 · +0 → 5 characters",
      "run dispatched",
      "delta · seq 4 | after the end",
      "handler called, attempt 1",
      "attempt 1 failed: The receiver is busy; again in 100 ms | retry",
      "handler called, attempt 2",
      "delivered after 2 attempts",
    ]);
    await page.getByRole("button", { name: "Close" }).click();
    await until(() => page.locator("dialog[open]").count()).toBe(0);
  });

  it("is usable by keyboard alone", async () => {
    await open();
    inbox.handle({ runId: "run-1", sessionKey: KEY, seq: 1, state: "final", message: { content: "Hello" } });
    await rowOf("settled", KEY).waitFor();
    const focused = () => page.evaluate<string>("document.activeElement?.textContent ?? ''");
    for (let steps = 0; steps < 30 && (await focused()) !== KEY; steps += 1) await page.keyboard.press("Tab");
    expect(await focused()).toBe(KEY);
    await page.keyboard.press("Enter");
    await page.locator("#details-timeline li").first().waitFor();
    await page.keyboard.press("Escape");
    await until(() => page.locator("dialog[open]").count()).toBe(0);
    expect(await focused()).toBe(KEY);
  });

  it("hides texts unless the inspector shows them", async () => {
    const tell = async () => {
      for (const state of ["delta", "final"])
        inbox.handle({ runId: "run-1", sessionKey: KEY, seq: 1, state, message: { content: "the secret words" } });
      await rowOf("settled", KEY).getByRole("button").click();
      await page.locator("#details-timeline li").nth(2).waitFor();
      return page.evaluate<string>("document.documentElement.outerHTML");
    };
    await open();
    expect(await tell()).not.toContain("secret");
    expect(await page.locator("#details-facts").textContent()).toContain("16 characters");
    await inspector.close();
    await inbox.stop();
    await gateway.close();
    // The page that lost its server says so; that is no defect of it.
    complaints = [];
    await open({}, { showText: true });
    expect(await tell()).toContain("the secret words");
    expect(await page.locator("#details-text").textContent()).toBe("the secret words");
  });

  it("reconnects by itself when the server was away", async () => {
    const token = "the-same-as-before";
    await open({}, { token });
    const { port } = inspector;
    await inspector.close();
    await page.locator('#connection[data-state="lost"]').waitFor();
    inspector = await createInspector(inbox, { token, port });
    await page.locator('#connection[data-state="watching"]').waitFor();
    inbox.handle({ runId: "after", sessionKey: KEY, seq: 1, state: "delta", deltaText: "Hello" });
    await rowOf("live", KEY).waitFor();
    complaints = complaints.filter((text) => !/ERR_CONNECTION_REFUSED|INCOMPLETE/.test(text));
  });

  it("asks for the new address when the token has changed", async () => {
    await open();
    const { port } = inspector;
    await inspector.close();
    inspector = await createInspector(inbox, { port });
    await page.locator('#connection[data-state="refused"]').waitFor();
    complaints = complaints.filter((text) => !/ERR_CONNECTION_REFUSED|INCOMPLETE|404/.test(text));
  });

  it("has the runs that settled before it was opened", async () => {
    gateway = await createFakeGateway();
    inbox = createInbox({ retry: { maxAttempts: 1 }, deliver: () => Promise.reject(new Error("No such room")) });
    inspector = await createInspector(inbox);
    for (const [runId, text] of [
      ["first", "one"],
      ["second", "three"],
    ])
      inbox.handle({ runId, sessionKey: `${KEY}:${runId}`, seq: 1, state: "final", message: { content: text } });
    await until(() => inbox.stats().dead).toBe(2);
    expect(inspector.watching).toBe(false);
    await page.goto(inspector.url);
    await until(() => page.locator("#settled tr").count()).toBe(2);
    expect((await page.locator("#settled tr").allInnerTexts())[0]).toMatch(
      /dispatched\s+dead\s+No such room\s+5\s+[\d.]+ m?s\s+\d\d:\d\d:\d\d/,
    );
    await row("settled").getByRole("button").click();
    await until(() => page.locator("#details-timeline li").count()).toBe(3);
    expect(await page.locator("#details-timeline li").first().textContent()).toContain("No page was open");
  });

  it("finds runs by text, outcome and origin", async () => {
    await open({ deliver: () => {} });
    const end = (runId: string, sessionKey: string, state: string) =>
      inbox.handle({ runId, sessionKey, seq: 1, state, message: { content: "Hello" } });
    end("run-1", `${KEY}:one`, "final");
    end("run-2", `${KEY}:two`, "aborted");
    end("cron:job:3", "agent:main:cron:job", "final");
    await until(() => page.locator("#settled tr").count()).toBe(3);
    await page.keyboard.press("/");
    await page.keyboard.type("TOPIC:200:");
    await until(() => page.locator("#settled tr").count()).toBe(2);
    expect(await page.locator("#settled-count").textContent()).toBe("2 of 3");
    await page.locator("#filter-outcome").selectOption("aborted");
    await until(() => page.locator("#settled tr").count()).toBe(1);
    expect(await row("settled").textContent()).toContain("run-2");
    end("run-4", `${KEY}:four`, "aborted");
    await until(() => page.locator("#settled tr").count()).toBe(2);
    await page.getByRole("button", { name: "Clear" }).click();
    await until(() => page.locator("#settled tr").count()).toBe(4);
    await page.locator("#filter-origin").selectOption("cron");
    await until(() => page.locator("#settled tr").count()).toBe(1);
    await page.locator("#filter-words").fill("nobody");
    await until(() => page.locator("#settled-note").textContent()).toBe("No run matches the search.");
  });

  it("has an address for each run and goes back", async () => {
    await open();
    for (const runId of ["run/1 ü", "run-2"])
      inbox.handle({ runId, sessionKey: `${KEY}:${runId}`, seq: 1, state: "aborted" });
    await until(() => page.locator("#settled tr").count()).toBe(2);
    const start = page.url();
    await row("settled", 1).getByRole("button").click();
    await until(() => fact("Run").textContent()).toBe("run/1 ü Copy");
    const address = page.url();
    expect(address).toBe(`${start}#run/1/run%2F1%20%C3%BC`);
    await page.goBack();
    await until(() => page.locator("dialog[open]").count()).toBe(0);
    await page.goForward();
    await until(() => fact("Run").textContent()).toBe("run/1 ü Copy");
    await page.keyboard.press("Escape");
    await until(() => page.url()).toBe(start);
    // Followed from elsewhere, and by a number that another process gave to another run.
    await page.goto("about:blank");
    await page.goto(address.replace("#run/1/", "#run/2/"));
    await until(() => fact("Run").textContent()).toBe("run/1 ü Copy");
    expect(page.url()).toBe(address);
    await page.goto("about:blank");
    await page.goto(`${start}#run/7/gone`);
    await until(() => page.locator("#details-title").textContent()).toBe("This run is not remembered here");
    complaints = complaints.filter((text) => !/404/.test(text));
  });

  it("copies ids", async () => {
    await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    await open({ deliver: () => {} });
    inbox.handle({ runId: "run-1", sessionKey: KEY, seq: 1, state: "final", message: { content: "Hello" } });
    await rowOf("settled", KEY).getByRole("button").click();
    await page.getByRole("button", { name: "Copy the message id" }).click();
    await until(() => page.locator("#said-aloud").textContent()).toBe("Copied the message id");
    expect(await page.evaluate<string>("navigator.clipboard.readText()")).toMatch(/^msg_[\w-]{32}$/);
  });

  it("says on top what is wrong until it is over", async () => {
    await open();
    expect(await page.locator(".banner").count()).toBe(0);
    const { port } = new URL(gateway.url);
    await gateway.close();
    await until(() => page.locator(".banner").textContent()).toMatch(
      /^The link to default is (offline|connecting)\. Since \d\d:\d\d:\d\d \([\d.]+ m?s\)\./,
    );
    gateway = await createFakeGateway({ port: Number(port), token: gateway.token });
    await expect.poll(() => page.locator(".banner").count(), { timeout: 15_000 }).toBe(0);
  });

  it("says on top that a cron job is silent", async () => {
    await open({ jobGraceMs: 1_000 });
    const job = {
      id: "job-1",
      sessionTarget: "isolated",
      payload: { kind: "agentTurn" },
      state: { nextRunAtMs: Date.now() },
    };
    gateway.respond("cron.list", () => ({ jobs: [job] }));
    gateway.emit("cron", { jobId: job.id, action: "added", job });
    await expect.poll(() => page.locator(".banner").count(), { timeout: 15_000 }).toBe(1);
    expect(await page.locator(".banner").textContent()).toMatch(/^A cron job is silent\. /);
    gateway.say("Here I am.", { origin: "cron-isolated", jobId: job.id });
    await expect.poll(() => page.locator(".banner").count(), { timeout: 15_000 }).toBe(0);
  });

  it("tells how to revive a dead letter and does so where it may", async () => {
    let fails = true;
    const deliver = () => {
      if (fails) throw new PermanentError("No such room");
    };
    await open({ deliver }, { allowActions: true });
    inbox.handle({ runId: "run-1", sessionKey: KEY, seq: 1, state: "final", message: { content: "Hello" } });
    await row("dead").getByRole("button").click();
    const [letter] = await inbox.deadLetters();
    const id = letter?.message.id ?? "";
    await until(() => fact("Message").textContent()).toBe(`${id} Copy`);
    expect(await fact("Last error").textContent()).toBe("No such room");
    expect(await page.locator("#details-dead code").allTextContents()).toEqual([
      `openclaw-inbox dead retry ${id} --ledger FILE`,
      `await inbox.redeliver("${id}");`,
    ]);
    fails = false;
    await page.getByRole("button", { name: "Deliver it now" }).click();
    await until(() => page.locator("#details-dead .outcome").textContent()).toBe("Given to delivery, from attempt 1.");
    await until(() => inbox.stats().delivered).toBe(1);
    await until(() => page.locator("#dead tr").count()).toBe(0);
  });

  it("turns the pages of many dead letters", async () => {
    await open({ retry: { maxAttempts: 1 }, deliver: () => Promise.reject(new Error("No such room")) });
    for (let run = 0; run < 120; run += 1)
      inbox.handle({
        runId: `run-${run}`,
        sessionKey: `${KEY}:${run}`,
        seq: 1,
        state: "final",
        message: { content: "Hello" },
      });
    await until(() => page.locator("#dead tr").count()).toBe(50);
    for (const rows of [50, 20]) {
      const last = await row("dead", 49).textContent();
      await page.getByRole("button", { name: "Next page" }).click();
      await until(() => page.locator("#dead tr").count()).toBe(rows);
      await until(() => row("dead").textContent()).not.toBe(last);
    }
    expect(await row("dead", 19).textContent()).toContain("run-119");
    expect(await page.getByRole("button", { name: "Next page" }).count()).toBe(0);
    await page.getByRole("button", { name: "First page" }).click();
    await until(() => row("dead").textContent()).toContain("run-0");
  });

  it("is read only by default", async () => {
    await open({ deliver: () => Promise.reject(new PermanentError("No such room")) });
    inbox.handle({ runId: "run-1", sessionKey: KEY, seq: 1, state: "final", message: { content: "Hello" } });
    await row("dead").getByRole("button").click();
    await until(() => page.locator("#details-dead code").count()).toBe(2);
    expect(await page.getByRole("button", { name: "Deliver it now" }).count()).toBe(0);
  });

  it("begins with the lists and keeps folds", async () => {
    await open();
    const summary = page.getByText("Machines", { exact: true });
    const top = async (locator: Locator) => (await locator.boundingBox())?.y ?? 0;
    expect(await top(page.locator("#settled-title"))).toBeLessThan(await top(summary));
    await summary.click();
    await until(() => page.locator("#machine-run").isVisible()).toBe(false);
    await page.reload();
    await page.locator('#connection[data-state="watching"]').waitFor();
    expect(await page.locator("#machine-run").isVisible()).toBe(false);
  });

  it("breaks session keys at colons and shows the end of long ones", async () => {
    await open();
    const long = `${KEY}:${"x".repeat(30)}:${KEY}:end`;
    inbox.handle({ runId: "run-1", sessionKey: long, seq: 1, state: "aborted" });
    await until(() => row("settled").getByRole("button").textContent()).toBe(`…:${KEY}:end`);
    expect(await row("settled").getByRole("button").getAttribute("title")).toBe(long);
    await row("settled").getByRole("button").click();
    await until(() => fact("Session").textContent()).toBe(`${long} Copy`);
  });

  it("works in a host's own server behind its authentication", async () => {
    gateway = await createFakeGateway();
    inbox = createInbox();
    const mounted = await createInspector(inbox, { port: false, path: "/inbox" });
    const server = createServer((request, response) => {
      if (request.headers.cookie !== "user=admin") return void response.writeHead(401).end();
      void mounted.handler(request, response);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    await page.context().addCookies([{ name: "user", value: "admin", url: origin }]);
    await page.goto(`${origin}/inbox`);
    await page.locator('#connection[data-state="watching"]').waitFor();
    inbox.handle({ runId: "run-1", sessionKey: KEY, seq: 1, state: "aborted" });
    await rowOf("settled", KEY).waitFor();
    await page.goto("about:blank");
    await mounted.close();
    server.closeAllConnections();
    server.close();
  });

  it("is unreadable for a page of another origin", async () => {
    await open();
    const stranger = await browser.newPage();
    await stranger.route("https://stranger.example/", (route) => route.fulfill({ body: "<p>Hello</p>" }));
    await stranger.goto("https://stranger.example/");
    const read = await stranger.evaluate(async (url) => {
      const attempts = [fetch(url), fetch(`${url}updates`), fetch(new URL("/metrics", url))];
      return (await Promise.allSettled(attempts)).map(({ status }) => status);
    }, inspector.url);
    expect(read).toEqual(["rejected", "rejected", "rejected"]);
    await stranger.setContent(`<iframe src="${inspector.url}"></iframe>`);
    await until(() => stranger.frames()[1]?.url()).toMatch(/^chrome-error:/);
    await stranger.close();
  });

  it("has links, dead letters and every counter", async () => {
    await open({ retry: { maxAttempts: 1 }, deliver: () => Promise.reject(new Error("No such room")) });
    inbox.handle({ runId: "run-1", sessionKey: KEY, seq: 1, state: "final", message: { content: "Hello" } });
    await until(() => page.locator("#dead tr").textContent()).toContain("No such room");
    expect(await page.locator("#dead-count").textContent()).toBe("1");
    expect(await page.locator("#links tr").textContent()).toMatch(/^default.*live/);
    await page.getByText("All counters").click();
    await until(() => page.locator("#counters dt").count()).toBe(Object.keys(inbox.stats()).length);
    gateway.drop();
    await until(() => takenIn("link", "live:lost:offline")).toBe(1);
  });

  it("stops its lists on request", async () => {
    await open();
    await page.getByRole("button", { name: "Hold the lists" }).click();
    inbox.handle({ runId: "run-1", sessionKey: KEY, seq: 1, state: "aborted" });
    await until(() => countIn("run", "aborted")).toBe(1);
    expect(await page.locator("#settled tr").count()).toBe(0);
    await page.getByRole("button", { name: "Hold the lists" }).click();
    await rowOf("settled", KEY).waitFor();
  });

  it.each([
    ["light", 1280],
    ["dark", 1280],
    ["light", 400],
    ["dark", 400],
  ] as const)("has no serious flaw for axe and no overflow: %s, %i wide", async (colorScheme, width) => {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height: 900 });
    await open({ retry: { maxAttempts: 1 }, deliver: () => Promise.reject(new Error("No such room")) });
    await gateway.play(["b-cron-isolated.subscribed", "g6-error-chat-send", "h1-abort-agent-run"]);
    inbox.handle({ runId: "long".repeat(30), sessionKey: KEY.repeat(4), seq: 1, state: "delta", deltaText: "Hello" });
    await until(() => page.locator("#live tr").count()).toBe(1);
    await until(() => page.locator("#settled tr").count()).toBeGreaterThan(2);
    await until(() => page.locator("#dead tr").count()).toBeGreaterThan(0);
    expect(await flaws()).toEqual([]);
    await page.locator("#settled button").first().click();
    await page.locator("#details-timeline li").first().waitFor();
    expect(await flaws()).toEqual([]);
    expect(await page.evaluate<number>("document.documentElement.scrollWidth")).toBeLessThanOrEqual(width);
  });

  async function flaws(): Promise<readonly string[]> {
    // The animations of a light-up would be judged in mid-colour.
    await until(() => page.evaluate<number>("document.getAnimations().length")).toBe(0);
    // By way of the debugger: the page's own policy lets no foreign script in.
    await page.evaluate(axe);
    const { violations, passes } = await page.evaluate<AxeResults>("axe.run()");
    expect(passes.length).toBeGreaterThan(15);
    return violations
      .filter(({ impact }) => impact === "serious" || impact === "critical")
      .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
  }

  it("stays quick with 10,000 live runs at 2000 events a second", async () => {
    await open({ settledWindowMs: 1_000 });
    const live = 10_000;
    const seqs = new Array<number>(live).fill(0);
    const speak = (run: number) => {
      seqs[run] = (seqs[run] ?? 0) + 1;
      inbox.handle({
        runId: `run-${run}`,
        sessionKey: `${KEY}:${run}`,
        seq: seqs[run],
        state: "delta",
        deltaText: "Hi ",
      });
    };
    for (let run = 0; run < live; run += 1) speak(run);
    await until(() => page.locator("#live-note").textContent()).toBe("The newest 100 of 10,000.");
    const gaps = page.evaluate<number[]>(framesOf(4_000));
    let next = 0;
    const talking = setInterval(() => {
      for (let event = 0; event < 40; event += 1) {
        speak(next);
        next = (next + 7) % live;
      }
    }, 20);
    const frames = (await gaps).sort((a, b) => a - b);
    clearInterval(talking);
    expect(await page.locator("#live tr").count()).toBe(100);
    expect(inbox.stats().events).toBeGreaterThan(live + 5_000);
    expect(frames[Math.floor(frames.length * 0.95)]).toBeLessThan(100);
    expect(frames.at(-1)).toBeLessThan(500);
  });
});

/** A script that gives the time between one drawn frame and the next, for `durationMs`. */
function framesOf(durationMs: number): string {
  return `new Promise((resolve) => {
    const seen = [];
    let last = performance.now();
    const end = last + ${durationMs};
    requestAnimationFrame(function frame(now) {
      seen.push(now - last);
      last = now;
      if (now < end) requestAnimationFrame(frame);
      else resolve(seen);
    });
  })`;
}
