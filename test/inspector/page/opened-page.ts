/** An inspector's page in a real Chromium, the inspector that serves it, and its inbox. New for each test. */
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect } from "vitest";
import { createInbox, type Inbox, type InboxOptions } from "../../../src/index.ts";
import { createInspector, type Inspector, type InspectorOptions } from "../../../src/inspector/index.ts";
import { createFakeGateway, type FakeGateway, type FakeGatewayOptions } from "../../../src/testing/index.ts";
import { chromiumFor, launchChromium } from "../../helpers/chromium.ts";

export const chromium = chromiumFor("THE INSPECTOR'S PAGE");
export const KEY = "agent:main:collavre:42:creative:100:topic:200";

export let browser: Browser;
export let page: Page;
export let gateway: FakeGateway;
export let inbox: Inbox;
export let inspector: Inspector;
/** What the page complained of: nothing, in the end. */
let complaints: string[];

export async function startGateway(options?: FakeGatewayOptions): Promise<void> {
  gateway = await createFakeGateway(options);
}

export function startInbox(options?: InboxOptions): void {
  inbox = createInbox(options);
}

export async function serve(options?: InspectorOptions): Promise<void> {
  inspector = await createInspector(inbox, options);
}

/** Opens the page of an inbox that listens to a fake Gateway. */
export async function open(inboxOptions: InboxOptions = {}, options: InspectorOptions = {}): Promise<void> {
  await startGateway();
  startInbox({ gateway: { url: gateway.url, token: gateway.token }, ...inboxOptions });
  await inbox.start();
  await serve(options);
  await page.goto(inspector.url);
  await page.locator('#connection[data-state="watching"]').waitFor();
}

/** Expects these complaints. */
export function forgive(expected: RegExp): void {
  complaints = complaints.filter((text) => !expected.test(text));
}

export const rowOf = (list: "live" | "settled", session: string) =>
  page.locator(`#${list} tr`, { has: page.getByRole("button", { name: session, exact: true }) });
export const countIn = (machine: string, state: string) =>
  page.locator(`#machine-${machine} [data-state="${state}"]`).getAttribute("data-count").then(Number);
export const takenIn = (machine: string, transition: string) =>
  page.locator(`#machine-${machine} [data-transition="${transition}"]`).getAttribute("data-taken").then(Number);
export const row = (list: "live" | "settled" | "dead", index = 0) => page.locator(`#${list} tr`).nth(index);
export const fact = (name: string) =>
  page.locator("#details-facts > div", { has: page.locator("dt", { hasText: new RegExp(`^${name}$`) }) }).locator("dd");
export const until = (probe: () => Promise<unknown> | unknown) => expect.poll(probe, { interval: 30 });

/** Opens a browser for the tests of a file, and a page for each. */
export function usePage(): void {
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
}
