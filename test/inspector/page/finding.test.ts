import { describe, expect, it } from "vitest";
import { PermanentError } from "../../../src/index.ts";
import {
  chromium,
  fact,
  forgive,
  gateway,
  inbox,
  inspector,
  KEY,
  open,
  page,
  row,
  rowOf,
  serve,
  startGateway,
  startInbox,
  until,
  usePage,
} from "./opened-page.ts";

describe.skipIf(chromium === undefined)("what did not arrive, on the inspector's page", () => {
  usePage();

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
    forgive(/404/);
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
    await startGateway({ port: Number(port), token: gateway.token });
    await expect.poll(() => page.locator(".banner").count()).toBe(0);
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
    await expect.poll(() => page.locator(".banner").count()).toBe(1);
    expect(await page.locator(".banner").textContent()).toMatch(/^A cron job is silent\. /);
    gateway.say("Here I am.", { origin: "cron-isolated", jobId: job.id });
    await expect.poll(() => page.locator(".banner").count()).toBe(0);
  });

  it("shows when a delivery that nobody watched is tried again", async () => {
    const retry = { maxAttempts: 5, firstDelayMs: 60_000 };
    await startGateway();
    startInbox({ retry, random: () => 0.9, deliver: () => Promise.reject(new Error("No such room")) });
    inbox.handle({ runId: "run-1", sessionKey: KEY, seq: 1, state: "final", message: { content: "Hello" } });
    await until(() => inbox.stats().waiting).toBe(1);
    await serve();
    await page.goto(inspector.url);
    await until(() => rowOf("settled", KEY).textContent()).toMatch(
      /waiting1 attempt, again in \d+(\.\d)? s: No such room/,
    );
    await rowOf("settled", KEY).getByRole("button").click();
    await until(() => fact("Next try").textContent()).toMatch(/\d\d:\d\d:\d\d/);
    expect(await fact("Delivery").textContent()).toBe("waiting, 1 attempt");
    expect(await fact("Last error").textContent()).toBe("No such room");
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
    expect(await row("dead", 19).textContent()).toContain("run-0");
    expect(await page.getByRole("button", { name: "Next page" }).count()).toBe(0);
    await page.getByRole("button", { name: "First page" }).click();
    await until(() => row("dead").textContent()).toContain("run-119");
  });

  it("is read only by default", async () => {
    await open({ deliver: () => Promise.reject(new PermanentError("No such room")) });
    inbox.handle({ runId: "run-1", sessionKey: KEY, seq: 1, state: "final", message: { content: "Hello" } });
    await row("dead").getByRole("button").click();
    await until(() => page.locator("#details-dead code").count()).toBe(2);
    expect(await page.getByRole("button", { name: "Deliver it now" }).count()).toBe(0);
  });
});
