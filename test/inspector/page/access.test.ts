import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it } from "vitest";
import { createInspector } from "../../../src/inspector/index.ts";
import {
  browser,
  chromium,
  forgive,
  inbox,
  inspector,
  KEY,
  open,
  page,
  rowOf,
  serve,
  startGateway,
  startInbox,
  until,
  usePage,
} from "./opened-page.ts";

describe.skipIf(chromium === undefined)("access to the inspector's page", () => {
  usePage();

  it("reconnects by itself when the server was away", async () => {
    const token = "the-same-as-before";
    await open({}, { token });
    const { port } = inspector;
    await inspector.close();
    await page.locator('#connection[data-state="lost"]').waitFor();
    await serve({ token, port });
    await page.locator('#connection[data-state="watching"]').waitFor();
    inbox.handle({ runId: "after", sessionKey: KEY, seq: 1, state: "delta", deltaText: "Hello" });
    await rowOf("live", KEY).waitFor();
    forgive(/ERR_CONNECTION_REFUSED|INCOMPLETE/);
  });

  it("asks for the new address when the token has changed", async () => {
    await open();
    const { port } = inspector;
    await inspector.close();
    await serve({ port });
    await page.locator('#connection[data-state="refused"]').waitFor();
    forgive(/ERR_CONNECTION_REFUSED|INCOMPLETE|404/);
  });

  it("works in a host's own server behind its authentication", async () => {
    await startGateway();
    startInbox();
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
});
