import { once } from "node:events";
import { createServer } from "node:http";
import { createServer as createTcpServer } from "node:net";
import { describe, expect, it } from "vitest";
import { createInbox } from "../../src/inbox.ts";
import { listening } from "../helpers/listening.ts";
import { temporaryFile } from "../helpers/temporary-folder.ts";
import { turn } from "../helpers/turns.ts";
import { fakeGateway } from "../testing/helpers.ts";
import { type RunningCli, runCli } from "./run-cli.ts";

const secret = `whsec_${Buffer.alloc(24, 5).toString("base64")}`;
const BACKLOG = 50;

/** A ledger with messages that an earlier process left undelivered. */
async function backlog(): Promise<string> {
  const ledger = temporaryFile("inbox.db");
  const inbox = createInbox({ ledger, deliver: () => new Promise(() => {}) });
  await inbox.start();
  for (let n = 1; n <= BACKLOG; n++) {
    const message = { role: "assistant", content: `Left ${n}` };
    inbox.handle({ runId: `run-${n}`, sessionKey: `agent:main:s${n}`, seq: 1, state: "final", message });
  }
  while (inbox.stats().dispatched < BACKLOG) await turn();
  await inbox.stop({ drainMs: 0 });
  return ledger;
}

/** A receiver that takes everything, and tells of each request. */
async function receiver() {
  const server = createServer((request, response) => request.resume().on("end", () => response.writeHead(204).end()));
  return { server, url: `http://127.0.0.1:${await listening(server)}/` };
}

type Moment = (
  cli: RunningCli,
  first: { readonly request: Promise<unknown>; readonly connection: Promise<unknown> },
) => Promise<unknown>;

const moments: Record<string, Moment> = {
  "at its first line": (cli) => once(cli.child, "output"),
  "while it connects": (_cli, { connection }) => connection,
  "at its first post": (_cli, { request }) => request,
  "when a message was delivered": (cli) => cli.written("message delivered"),
};

describe("listen, with a backlog", () => {
  it.each(Object.entries(moments))("ends with 0 at SIGTERM %s while the Gateway is silent", async (_name, moment) => {
    const silent = createTcpServer();
    const url = `ws://127.0.0.1:${await listening(silent)}`;
    const hook = await receiver();
    const first = { request: once(hook.server, "request"), connection: once(silent, "connection") };
    const cli = runCli(["listen", "--url", url, "--ledger", await backlog(), "--webhook", hook.url, "--json"], {
      OPENCLAW_INBOX_WEBHOOK_SECRET: secret,
    });
    await moment(cli, first);
    cli.child.kill("SIGTERM");
    expect(await cli.ended).toEqual({ code: 0, signal: null });
  });

  it("loses nothing at SIGTERM while it catches up", async () => {
    const gateway = await fakeGateway();
    const hook = await receiver();
    const ledger = await backlog();
    const env = { OPENCLAW_GATEWAY_TOKEN: gateway.token, OPENCLAW_INBOX_WEBHOOK_SECRET: secret };
    const args = ["listen", "--url", gateway.url, "--ledger", ledger, "--webhook", hook.url, "--json"];
    const first = runCli(args, env);
    await gateway.nextConnection();
    gateway.stall();
    first.child.kill("SIGTERM");
    expect(await first.ended).toEqual({ code: 0, signal: null });
    gateway.resume();

    const second = runCli(args, env);
    await gateway.nextRequest("sessions.list");
    const said = "After the restart";
    gateway.say(said, { sessionKey: "agent:main:team" });
    await second.written(`"text":"${said}"`);
    second.child.kill("SIGTERM");
    expect(await second.ended).toEqual({ code: 0, signal: null });
    const texts = `${first.stdout}${second.stdout}`
      .trimEnd()
      .split("\n")
      .map((line) => (JSON.parse(line) as { text: string }).text);
    const expected = [...Array.from({ length: BACKLOG }, (_, index) => `Left ${index + 1}`), said];
    expect(texts.sort()).toEqual(expected.sort());
  });
});
