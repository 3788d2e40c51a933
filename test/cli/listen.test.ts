import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { Webhook } from "standardwebhooks";
import { describe, expect, it } from "vitest";
import { listening } from "../helpers/listening.ts";
import { temporaryFile } from "../helpers/temporary-folder.ts";
import { fakeGateway } from "../testing/helpers.ts";
import { type RunningCli, runCli } from "./run-cli.ts";

const secret = `whsec_${Buffer.alloc(24, 5).toString("base64")}`;
const sessionKey = "agent:main:collavre:42:creative:100";

/** A receiver of webhooks that answers when the test says so. */
async function receiver() {
  const server = createServer();
  return {
    url: `http://127.0.0.1:${await listening(server)}/hook`,
    async next() {
      const [request, response] = (await once(server, "request")) as [IncomingMessage, ServerResponse];
      let body = "";
      for await (const piece of request.setEncoding("utf8")) body += piece;
      return { body, headers: request.headers as Record<string, string>, response };
    },
  };
}

const messagesIn = (cli: RunningCli) =>
  cli.stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));

describe("listen", () => {
  it("prints only JSON on stdout, one line a message", async () => {
    const gateway = await fakeGateway();
    const cli = runCli(["listen", "--url", gateway.url, "--owner", "me", "--json"], {
      OPENCLAW_GATEWAY_TOKEN: gateway.token,
    });
    await gateway.nextConnection();
    const runId = gateway.say("First\nof two 🦞", { sessionKey });
    gateway.say("Second", { sessionKey });
    await cli.written("Second");
    cli.child.kill("SIGTERM");
    expect(await cli.ended).toEqual({ code: 0, signal: null });

    expect(messagesIn(cli)).toMatchObject([
      { runId, sessionKey, gateway: "default", owner: "me", text: "First\nof two 🦞" },
      { text: "Second" },
    ]);
    const log = cli.stderr
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(log.map(({ msg }) => msg)).toContain("message delivered");
    expect(cli.stderr).not.toContain("First");
    expect(cli.stderr).not.toContain(gateway.token);
  });

  it("prints no control characters for a person", async () => {
    const gateway = await fakeGateway();
    const cli = runCli(["listen", "--log-level", "silent"], {
      OPENCLAW_GATEWAY_URL: gateway.url,
      OPENCLAW_GATEWAY_TOKEN: gateway.token,
    });
    await gateway.nextConnection();
    gateway.say("Look: \u001b[2J\u009b31mred\nand the end", { sessionKey });
    await cli.written("the end");
    cli.child.kill("SIGINT");
    expect(await cli.ended).toEqual({ code: 0, signal: null });
    expect(cli.stdout).toMatch(/^agent:main:collavre:42:creative:100 {2}\w+\n {2}Look: \[2J31mred\n {2}and the end\n$/);
    expect(cli.stderr).toBe("");
  });

  it("hands over Collavre's sessions with --session collavre", async () => {
    const gateway = await fakeGateway();
    const cli = runCli(["listen", "--url", gateway.url, "--session", "collavre", "--json"], {
      OPENCLAW_GATEWAY_TOKEN: gateway.token,
    });
    await gateway.nextConnection();
    gateway.say("Not ours", { sessionKey: "agent:main:elsewhere" });
    gateway.say("Ours", { sessionKey });
    await cli.written("Ours");
    cli.child.kill("SIGTERM");
    await cli.ended;
    expect(messagesIn(cli)).toMatchObject([
      { text: "Ours", session: { agentId: "main", userId: 42, creativeId: 100 } },
    ]);
  });

  it("finishes a post after SIGTERM", async () => {
    const gateway = await fakeGateway();
    const hook = await receiver();
    const cli = runCli(["listen", "--url", gateway.url, "--webhook", hook.url, "--json"], {
      OPENCLAW_GATEWAY_TOKEN: gateway.token,
      OPENCLAW_INBOX_WEBHOOK_SECRET: secret,
    });
    await gateway.nextConnection();
    gateway.say("Slowly taken", { sessionKey });
    const { body, headers, response } = await hook.next();
    const gone = gateway.nextDisconnection();
    cli.child.kill("SIGTERM");
    await gone;
    expect(cli.stdout).toBe("");
    response.writeHead(204).end();
    expect(await cli.ended).toEqual({ code: 0, signal: null });

    expect(new Webhook(secret).verify(body, headers)).toMatchObject({ data: { text: "Slowly taken" } });
    expect(messagesIn(cli)).toMatchObject([{ id: headers["webhook-id"], text: "Slowly taken" }]);
    expect(cli.stderr).not.toContain(secret);
  });

  it("posts the events it is asked for", async () => {
    const gateway = await fakeGateway();
    const hook = await receiver();
    const cli = runCli(["listen", "--url", gateway.url, "--webhook", hook.url, "--events", "link.live,run.errored"], {
      OPENCLAW_GATEWAY_TOKEN: gateway.token,
      OPENCLAW_INBOX_WEBHOOK_SECRET: secret,
    });
    const { body, headers, response } = await hook.next();
    expect(new Webhook(secret).verify(body, headers)).toMatchObject({ type: "openclaw.link.live" });
    response.writeHead(204).end();
    cli.child.kill("SIGTERM");
    expect(await cli.ended).toEqual({ code: 0, signal: null });
  });

  it("posts that a cron job is silent, and what it says at last", async () => {
    const gateway = await fakeGateway();
    const due = Date.now();
    const job = { id: "job-1", name: "Standup", sessionTarget: "isolated", payload: { kind: "agentTurn" } };
    const state = { nextRunAtMs: due };
    gateway.respond("cron.list", () => ({ jobs: [{ ...job, state }] }));
    const config = temporaryFile("config.json");
    writeFileSync(config, JSON.stringify({ gateway: { url: gateway.url, token: gateway.token }, jobGraceMs: 1_000 }));
    const hook = await receiver();
    const cli = runCli(["listen", "--config", config, "--webhook", hook.url, "--events", "job.silent", "--json"], {
      OPENCLAW_INBOX_WEBHOOK_SECRET: secret,
    });
    await gateway.nextConnection();
    const event = await hook.next();
    expect(new Webhook(secret).verify(event.body, event.headers)).toMatchObject({
      type: "openclaw.job.silent",
      data: { gateway: "default", job: "job-1", name: "Standup", due: new Date(due).toISOString() },
    });
    event.response.writeHead(204).end();
    gateway.say("Here I am.", { origin: "cron-isolated", jobId: job.id });
    const message = await hook.next();
    message.response.writeHead(204).end();
    await cli.written('"Here I am."');
    await cli.written("a silent cron job is heard again");
    cli.child.kill("SIGTERM");
    expect(await cli.ended).toEqual({ code: 0, signal: null });
    // The event is for the receiver and the log. On stdout there are only messages.
    expect(messagesIn(cli)).toMatchObject([{ text: "Here I am.", origin: "cron", job: { id: "job-1" } }]);
    const lines = cli.stderr
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines.filter(({ job }) => job === "job-1")).toMatchObject([
      { level: 40, msg: "a cron job is silent", due: new Date(due).toISOString() },
      { level: 30, msg: "a silent cron job is heard again" },
    ]);
    expect(cli.stderr).not.toContain("Standup");
  });

  it.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("ends at once at a second signal (%s)", async (signal, code) => {
    const gateway = await fakeGateway();
    const hook = await receiver();
    const cli = runCli(["listen", "--url", gateway.url, "--webhook", hook.url], {
      OPENCLAW_GATEWAY_TOKEN: gateway.token,
      OPENCLAW_INBOX_WEBHOOK_SECRET: secret,
    });
    await gateway.nextConnection();
    gateway.say("Never taken", { sessionKey });
    await hook.next();
    const gone = gateway.nextDisconnection();
    cli.child.kill("SIGTERM");
    await gone;
    cli.child.kill(signal);
    expect(await cli.ended).toEqual({ code, signal: null });
  });

  it("ends with 3 for a wrong token without showing it", async () => {
    const gateway = await fakeGateway();
    const cli = runCli(["listen", "--url", gateway.url, "--token", "sesame-open-up", "--log-level", "debug"]);
    expect(await cli.ended).toEqual({ code: 3, signal: null });
    expect(cli.stderr).toContain("\nopenclaw-inbox: The Gateway refused the token. Set OPENCLAW_GATEWAY_TOKEN");
    expect(cli.stdout).toBe("");
    expect(cli.stderr).not.toContain("sesame");
  });

  it("ends without an error when its output is closed", async () => {
    const gateway = await fakeGateway();
    const cli = runCli(["listen", "--url", gateway.url, "--json"], {
      OPENCLAW_GATEWAY_TOKEN: gateway.token,
      LOG_LEVEL: "error",
    });
    await gateway.nextConnection();
    cli.child.stdout?.destroy();
    gateway.say("Into the void", { sessionKey });
    await once(cli.child, "exit");
    expect(cli.child.exitCode).toBe(0);
    expect(cli.stderr).toBe("");
  });
});
