import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { createInbox, type Logger, type ProactiveMessage, webhook } from "../../src/index.ts";
import { DeadLetters } from "../../src/inspector/dead-letters.ts";
import { listening } from "../helpers/listening.ts";
import { until } from "../helpers/turns.ts";

const BYTES = Buffer.from("the bytes of a picture").toString("base64");
const TICKET = "v1.hush-hush";
const SECRETS = [BYTES, TICKET, "the bytes", "sesame", "/home/somebody"];

const content = [
  {
    type: "image",
    artifactId: "a-1",
    url: `/api/media/1?mediaTicket=${TICKET}`,
    alt: "dot.png",
    mimeType: "image/png",
  },
  { type: "image", data: BYTES, title: "/home/somebody/inline.png" },
  { type: "image", source: { type: "base64", data: BYTES, media_type: "image/jpeg" } },
  { type: "image_url", image_url: { url: `data:image/png;base64,${BYTES}` }, alt: `data:image/png;base64,${BYTES}` },
  {
    type: "file",
    url: `https://user:sesame@example.org/a/plan.pdf?sig=${TICKET}`,
    title: "https://h/plan.pdf?sig=sesame",
  },
];

const expected = [
  { id: expect.any(String), kind: "image", name: "dot.png", type: "image/png" },
  { id: expect.any(String), kind: "image", name: "inline.png" },
  { id: expect.any(String), kind: "image", type: "image/jpeg" },
  { id: expect.any(String), kind: "image" },
  { id: expect.any(String), kind: "file", name: "plan.pdf" },
];

it("carries what attachments are but no bytes, tickets or paths", async () => {
  const folder = mkdtempSync(join(tmpdir(), "attachments-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const bodies: string[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (piece: string) => (body += piece));
    request.on("end", () => {
      bodies.push(body);
      response.writeHead(bodies.length === 1 ? 503 : 422).end();
    });
  });
  const url = `http://127.0.0.1:${await listening(server)}/hook`;
  const secret = `whsec_${Buffer.alloc(24, 5).toString("base64")}`;
  const lines: string[] = [];
  const line = (fields: object, text: string) => void lines.push(`${text} ${JSON.stringify(fields)}`);
  const logger: Logger = { debug: line, info: line, warn: line, error: line };
  const inbox = createInbox({
    ledger: join(folder, "inbox.db"),
    deliver: webhook({ url, secret }),
    retry: { maxAttempts: 2, firstDelayMs: 1 },
    logger,
  });
  await inbox.start();
  const activity: string[] = [];
  inbox.activity$.subscribe((what) => void activity.push(JSON.stringify(what)));
  const sessionKey = "agent:main:collavre:42:creative:100";
  inbox.handle({ runId: "r", sessionKey, state: "final", seq: 1, message: { role: "assistant", content } });
  await until(() => inbox.stats().dead === 1, "the dead letter");
  const [letter] = await inbox.deadLetters();
  expect(letter?.message.attachments).toEqual(expected);
  const bodyOf = (text: string) => (JSON.parse(text) as { data: ProactiveMessage }).data;
  expect(bodies.map((body) => bodyOf(body).attachments)).toEqual([
    letter?.message.attachments,
    letter?.message.attachments,
  ]);
  const page = await new DeadLetters(inbox, true).page("");
  expect(page?.rows).toMatchObject([{ chars: 0, attached: "4 images, 1 file" }]);
  await inbox.stop();
  const files = readdirSync(folder).map((name) => readFileSync(join(folder, name), "latin1"));
  const ids = letter?.message.attachments.map(({ id = "" }) => Buffer.from(id, "base64url").toString()) ?? [];
  for (const hidden of SECRETS)
    expect([...files, ...bodies, ...lines, ...activity, ...ids, JSON.stringify(page)].join("\n")).not.toContain(hidden);
});
