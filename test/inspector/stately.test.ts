import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createInbox, type Inbox, isInboxError } from "../../src/index.ts";
import { createStatelyInspector, type StatelyInspector } from "../../src/inspector/index.ts";
import type { StatelyOptions } from "../../src/inspector/stately.ts";
import { StatelySample } from "../../src/inspector/stately-sample.ts";
import { chromiumFor, launchChromium } from "../helpers/chromium.ts";
import { ask, type EventStream, openEventStream } from "../helpers/http.ts";

const KEY = "agent:main:collavre:42:creative:100";
const chromium = chromiumFor("STATELY'S INSPECTOR");

interface Told {
  readonly type: string;
  readonly name?: string;
  readonly sessionId: string;
  readonly definition?: string;
  readonly event?: { readonly type: string };
  readonly snapshot?: { readonly value?: string; readonly status?: string; readonly context?: object };
}

let stately: StatelyInspector;
let inbox: Inbox;

async function open(options: StatelyOptions = {}): Promise<void> {
  stately = await createStatelyInspector(options);
  const source = { name: "gateway", open() {}, async close() {} };
  inbox = createInbox({ source, inspect: stately.inspect });
}

afterEach(async () => {
  await inbox?.stop();
  await stately?.close();
});

const hear = (runId: string, state: string, seq: number, text: string) =>
  inbox.handle({ runId, sessionKey: KEY, seq, state, message: { content: text } });

/** What is told, up to the end of a run called `runId`. */
async function toldUntilEnd(stream: EventStream, runId: string): Promise<Told[]> {
  const told: Told[] = [];
  for (;;) {
    const event = (await stream.next()) as Told;
    told.push(event);
    const { status, context } = event.snapshot ?? {};
    if (event.type === "@xstate.snapshot" && status === "done" && JSON.stringify(context).includes(runId)) return told;
  }
}

describe("what Stately's inspector is told", () => {
  it("is each actor with definition, events and states but no texts", async () => {
    await open();
    const stream = await openEventStream(`${stately.url}events`);
    hear("run-1", "delta", 1, "the secret words");
    hear("run-1", "final", 2, "the secret words");
    const told = await toldUntilEnd(stream, "run-1");
    const actors = told.filter(({ type }) => type === "@xstate.actor");
    expect(actors.map(({ name }) => name)).toEqual(expect.arrayContaining(["link", "run"]));
    const run = actors.find(({ name }) => name === "run");
    expect(JSON.parse(run?.definition ?? "{}")).toMatchObject({ id: "run", initial: "buffering" });
    const ofRun = told.filter(({ sessionId }) => sessionId === run?.sessionId);
    expect(ofRun.flatMap(({ event }) => event?.type ?? [])).toEqual(expect.arrayContaining(["delta", "final"]));
    expect(ofRun.at(-1)?.snapshot).toMatchObject({ value: "dispatched", status: "done" });
    expect(JSON.stringify(told)).not.toContain("secret");
    stream.close();
  });

  it("is a sample of actors and every link", async () => {
    await open({ maxActors: 3 });
    const stream = await openEventStream(`${stately.url}events`);
    for (let run = 0; run < 100; run += 1) hear(`run-${run}`, "delta", 1, "Hello");
    hear("run-0", "aborted", 2, "");
    hear("run-100", "delta", 1, "Hello");
    hear("run-100", "aborted", 2, "");
    const told = await toldUntilEnd(stream, "run-100");
    const runs = told.filter(({ type, name }) => type === "@xstate.actor" && name === "run");
    expect(runs).toHaveLength(4);
    expect(told.filter(({ type, name }) => type === "@xstate.actor" && name === "link")).toHaveLength(1);
    stream.close();
  });

  it("is sent to a page that opens later", async () => {
    await open();
    const first = await openEventStream(`${stately.url}events`);
    hear("gone", "aborted", 1, "");
    hear("here", "delta", 1, "Hello");
    hear("last", "aborted", 1, "");
    await toldUntilEnd(first, "last");
    const second = await openEventStream(`${stately.url}events`);
    const told: Told[] = [];
    while (told.filter(({ name }) => name === "run").length < 1) told.push((await second.next()) as Told);
    const state = (await second.next()) as Told;
    expect(state.snapshot).toMatchObject({ value: "buffering", context: { runId: "here" } });
    expect(JSON.stringify(told)).not.toContain("gone");
    first.close();
    second.close();
  });

  it("is refused for a wrong token or another origin", async () => {
    await open();
    expect(await ask(`${new URL(stately.url).origin}/${"x".repeat(32)}/events`)).toMatchObject({ status: 404 });
    expect(await ask(`${stately.url}events`, { headers: { Origin: "https://stately.ai" } })).toMatchObject({
      status: 403,
    });
    const { headers } = await ask(stately.url);
    expect(headers["content-security-policy"]).toContain("frame-src https://stately.ai;");
  });

  it("refuses wrong options", async () => {
    await open();
    const refused = (options: object) =>
      createStatelyInspector(options).catch((error) => isInboxError(error, "ERR_INBOX_OPTION") && error.message);
    expect(await refused({ maxActors: 0 })).toBe("Expected `maxActors` to be an integer >= 1, got `0` (number)");
    expect(await refused({ url: "" })).toContain("`url`");
  });
});

describe("the sample", () => {
  it("begins a limited number of actors a minute, links apart", () => {
    const sample = new StatelySample({ maxActors: 10, maxNewPerMinute: 2 });
    const begin = (id: string, now: number, always = false) => {
      const followed = sample.begin(id, always, now);
      sample.end(id);
      return followed;
    };
    expect([begin("a", 0), begin("b", 1), begin("c", 59_999), begin("link", 2, true)]).toEqual([
      true,
      true,
      false,
      true,
    ]);
    expect(begin("d", 60_000)).toBe(true);
  });
});

describe.skipIf(chromium === undefined)("the page around Stately's inspector", () => {
  const frame = `<!doctype html><title>Stately</title><p id="told"></p><script>
    addEventListener("message", ({ data }) => { document.getElementById("told").textContent += data.type + " "; });
    setTimeout(() => parent.postMessage({ type: "@statelyai.connected" }, "*"), 100);
  </script>`;

  beforeEach(() => open());

  it("passes on what happened before and after it had loaded", async () => {
    const browser = await launchChromium(chromium ?? "");
    const page = await browser.newPage();
    await page.route("https://stately.ai/inspect", (route) => route.fulfill({ contentType: "text/html", body: frame }));
    await page.goto(stately.url);
    const told = () => page.frames()[1]?.locator("#told").textContent();
    await expect.poll(told).toContain("@xstate.actor");
    hear("run-1", "delta", 1, "Hello");
    await expect.poll(told).toContain("@xstate.event");
    await browser.close();
  });
});
