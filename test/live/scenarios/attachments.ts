import { createHash, randomBytes, randomUUID } from "node:crypto";
import { readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import type { Attachment, ProactiveMessage } from "../../../src/index.ts";
import { newSession, runCron } from "../acts.ts";
import { writePng } from "../png.ts";
import { isAtLeast } from "../releases.ts";
import type { Expectation, Scenario, Stage } from "../scenario.ts";
import { type LocalInbox, openInbox } from "../tested-inbox.ts";
import { behindProxy } from "../way.ts";
import { heartbeatGap } from "./ways.ts";

/** Files that an agent sends along: what is said of them, and that their bytes are those of the Gateway's own file. */
export const attachmentScenarios: readonly Scenario[] = [
  { name: "image alone", place: "quiet", gap: notKept, play: (stage) => heard(stage, "", [small()]) },
  { name: "text and image", place: "quiet", gap: notKept, play: (stage) => heard(stage, "Here it is.", [small()]) },
  {
    name: "two files that are no images",
    place: "quiet",
    gap: notKept,
    play: (stage) => heard(stage, "Both.", texts()),
  },
  { name: "image of 6 MB", place: "quiet", gap: notKept, play: (stage) => heard(stage, "Large.", [large()]) },
  { name: "a file that a tool made", place: "quiet", gap: notKept, play: toolMade },
  { name: "missed: image alone", place: "quiet", gap: notKept, play: (stage) => missed(stage, "", [small()]) },
  {
    name: "missed: text and image",
    place: "quiet",
    gap: notKept,
    play: (stage) => missed(stage, "Missed.", [small()]),
  },
  { name: "an image's bytes after a restart", place: "gateway", gap: notKept, play: afterRestart },
  { name: "an image of a hidden run is named", place: "quiet", gap: heartbeatGap, play: hidden },
];

function notKept(version: string): string | undefined {
  if (isAtLeast(version, "2026.8.1")) return undefined;
  if (isAtLeast(version, "2026.5.28")) return "The Gateway keeps the line that names a file, and no file.";
  return "The file comes after the message, in a row of its own and under another name.";
}

interface File {
  readonly name: string;
  readonly bytes: Uint8Array;
}

const small = (): File => ({ name: `dot-${unique()}.png`, bytes: writePng(16, randomBytes(3)) });
const large = (): File => ({ name: `noise-${unique()}.png`, bytes: writePng(1_450) });
const texts = (): readonly File[] => [
  { name: `report-${unique()}.txt`, bytes: Buffer.from("A report.\nOf two lines.\n") },
  { name: `table-${unique()}.csv`, bytes: Buffer.from("a,b\n1,2\n") },
];

function unique(): string {
  return randomUUID().slice(0, 8);
}

async function heard(stage: Stage, text: string, files: readonly File[]): Promise<readonly Expectation[]> {
  const message = await arrival(stage.inbox, await send(stage, text, files));
  await check(stage, stage.inbox, message, text, files);
  return [];
}

async function missed(stage: Stage, text: string, files: readonly File[]): Promise<readonly Expectation[]> {
  const { inbox, proxy } = await behindProxy(stage);
  proxy.cut();
  const sessionKey = await send(stage, text, files);
  await arrival(stage.inbox, sessionKey);
  proxy.mend();
  const message = await arrival(inbox, sessionKey);
  if (!message.recovered) throw new Error("it was not recovered");
  await check(stage, inbox, message, text, files);
  return [];
}

async function toolMade(stage: Stage): Promise<readonly Expectation[]> {
  const file = { name: `made-${unique()}.txt`, bytes: Buffer.from("Made by a tool.") };
  const args = JSON.stringify({ path: file.name, content: "Made by a tool." });
  const sessionKey = newSession();
  const message = `TOOL:Writing.||write||${args}||MEDIA:./${file.name}`;
  await stage.operator.request("chat.send", { sessionKey, message, idempotencyKey: `run-${randomUUID()}` });
  await check(stage, stage.inbox, await arrival(stage.inbox, sessionKey), "Writing.", [file]);
  return [];
}

/** The inbox that reads the bytes has never heard the message: it has what a ledger keeps. */
async function afterRestart(stage: Stage): Promise<readonly Expectation[]> {
  const file = small();
  const first = await openInbox(`ws://127.0.0.1:${stage.gateway.port}`, stage.gateway.token);
  stage.defer(() => first.stop());
  const sessionKey = await send(stage, "Kept.", [file]);
  const kept = JSON.parse(JSON.stringify(await arrival(first, sessionKey))) as ProactiveMessage;
  await first.stop();
  // Before the Gateway ends: what plays next would meet it in the middle of that.
  if (kept.attachments[0]?.id === undefined) throw new Error("it cannot be read");
  await stage.gateway.kill("SIGTERM");
  await stage.gateway.start();
  const second = await openInbox(`ws://127.0.0.1:${stage.gateway.port}`, stage.gateway.token);
  stage.defer(() => second.stop());
  await check(stage, second, kept, "Kept.", [file]);
  return [];
}

/** Of a main-session cron job the Gateway keeps the line that names the file, and nothing else. */
async function hidden(stage: Stage): Promise<readonly Expectation[]> {
  const file = small();
  await writeFile(path.join(stage.gateway.workspace, file.name), file.bytes);
  const text = `Hidden (${unique()}).`;
  stage.model.otherwise = `${text}\nMEDIA:./${file.name}`;
  await runCron(stage.operator, { sessionTarget: "main", payload: { kind: "systemEvent", text: "Go." } });
  const { attachments, sessionKey } = await stage.inbox.messages.when(text, (message) => message.text === text);
  const told = JSON.stringify(attachments);
  if (told !== JSON.stringify([{ kind: "image", name: file.name }])) throw new Error(`it came with ${told}`);
  return [{ inbox: stage.inbox, sessionKey, texts: [text] }];
}

/** Has the agent answer a client with a text and files, and resolves with the key of the session. */
async function send({ operator, gateway, model }: Stage, text: string, files: readonly File[]): Promise<string> {
  for (const { name, bytes } of files) await writeFile(path.join(gateway.workspace, name), bytes);
  const lines = files.map(({ name }) => `MEDIA:./${name}`);
  model.otherwise = [...(text === "" ? [] : [text]), ...lines].join("\n");
  const sessionKey = newSession();
  await operator.request("chat.send", { sessionKey, message: "Go.", idempotencyKey: `run-${randomUUID()}` });
  return sessionKey;
}

function arrival(inbox: LocalInbox, sessionKey: string): Promise<ProactiveMessage> {
  return inbox.messages.when(`a message of ${sessionKey}`, (message) => message.sessionKey === sessionKey);
}

async function check(
  { gateway }: Stage,
  inbox: LocalInbox,
  { text, attachments }: ProactiveMessage,
  expected: string,
  files: readonly File[],
): Promise<void> {
  if (text !== expected) throw new Error(`the text is ${JSON.stringify(text)}`);
  const names = attachments.map(({ name }) => name);
  if (names.join() !== files.map(({ name }) => name).join())
    throw new Error(`it came with ${names.join() || "nothing"}`);
  for (const [i, attachment] of attachments.entries()) {
    const { id, size, kind } = attachment;
    if (id === undefined) throw new Error(`${attachment.name} cannot be read`);
    const bytes = await inbox.download(id);
    if (bytes.length !== size) throw new Error(`${attachment.name}: ${bytes.length} bytes, ${size} were told`);
    const isImage = kind === "image";
    if (isImage !== attachment.name?.endsWith(".png")) throw new Error(`${attachment.name} came as ${kind}`);
    const isSame = sha256(bytes) === sha256(files[i]?.bytes ?? new Uint8Array());
    // A large image is another file: the Gateway makes it smaller, and keeps that.
    if (!isSame && !(await isOnDisk(gateway.folder, attachment, sha256(bytes)))) {
      throw new Error(`${attachment.name}: SHA-256 is of no file of the Gateway's`);
    }
  }
}

async function isOnDisk(folder: string, { size }: Attachment, hash: string): Promise<boolean> {
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const bytes = await readFile(path.join(entry.parentPath, entry.name)).catch(() => Buffer.alloc(0));
    if (bytes.length === size && sha256(bytes) === hash) return true;
  }
  return false;
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
