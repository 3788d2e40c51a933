import { X509Certificate } from "node:crypto";
import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { createInbox, gatewaySource, type Inbox, type ProactiveMessage } from "../../src/index.ts";
import { downloadFile } from "../../src/source/gateway/download-file.ts";
import { createFakeGateway, createTestClock, type FakeGateway, type TestClock } from "../../src/testing/index.ts";
import { certificate, certificateKey } from "../helpers/certificate.ts";
import { until } from "../helpers/turns.ts";
import { heard, NOON } from "../recovery/hearing.ts";

const BYTES = new Uint8Array([137, 80, 78, 71, 0, 255]);
const PICTURE = { name: "dot.png", content: BYTES };
const SESSION = "agent:main:collavre:42:creative:100";

const open: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

interface Said {
  readonly gateway: FakeGateway;
  readonly inbox: Inbox;
  readonly clock: TestClock;
  readonly message: ProactiveMessage;
  readonly id: string;
}

/** A message with a picture, and the inbox that has it. */
async function said(): Promise<Said> {
  const gateway = await createFakeGateway();
  open.push(() => gateway.close());
  const { inbox, messages, clock } = await listenTo(gateway);
  gateway.say("A dot.", { sessionKey: SESSION, origin: "send", files: [PICTURE] });
  await heard(gateway, { inbox });
  clock.advance(1_000);
  await until(() => messages.length === 1, "the message");
  const [message] = messages as [ProactiveMessage];
  return { gateway, inbox, clock, message, id: message.attachments[0]?.id ?? "" };
}

async function listenTo({ url, token }: FakeGateway) {
  const messages: ProactiveMessage[] = [];
  const clock = createTestClock(NOON);
  const inbox = createInbox({ gateway: { url, token }, clock, deliver: (message) => void messages.push(message) });
  open.push(() => inbox.stop());
  await inbox.start();
  return { inbox, messages, clock };
}

/** Answers every download with this. */
function answerWith(gateway: FakeGateway, answer: object): void {
  gateway.respond("artifacts.download", () => answer);
}

async function serve(server: Server, listener: RequestListener): Promise<string> {
  server.on("request", listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  open.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const refused = (details: object) => ({ code: "ERR_INBOX_REQUEST", details });

describe("download()", () => {
  it("reads the bytes of an attachment", async () => {
    const { inbox, id } = await said();
    expect(await inbox.download(id)).toEqual(BYTES);
  });

  it("reads them for another inbox, by what a ledger has kept", async () => {
    const { gateway, inbox, message } = await said();
    await inbox.stop();
    const kept = JSON.parse(JSON.stringify(message)) as ProactiveMessage;
    const later = await listenTo(gateway);
    expect(await later.inbox.download(kept.attachments[0]?.id ?? "")).toEqual(BYTES);
  });

  it("reads bytes that come in the answer", async () => {
    const { gateway, inbox, id } = await said();
    answerWith(gateway, { encoding: "base64", data: Buffer.from(BYTES).toString("base64") });
    expect(await inbox.download(id)).toEqual(BYTES);
  });

  it("finds in the Gateway's list what a final had no id of", async () => {
    const { gateway, inbox } = await said();
    const messages: ProactiveMessage[] = [];
    inbox.messages$.subscribe((message) => messages.push(message));
    const image = { type: "image", data: "iVBORw0KGgo=", alt: "dot.png" };
    const message = { role: "assistant", content: [{ ...image, alt: "other.png" }, image, image] };
    gateway.chat({ runId: "inline", sessionKey: SESSION, seq: 1, state: "final", message });
    await until(() => messages.length === 1, "the message");
    const ids = ["other.png", "dot.png", "dot.png"].map((title, i) => ({
      id: `a${i}`,
      type: i === 0 ? "file" : "image",
      title: i === 1 ? `/media/${title}` : title,
    }));
    gateway.respond("artifacts.list", () => ({ artifacts: [{ id: "text", type: "file", title: "dot.txt" }, ...ids] }));
    gateway.respond("artifacts.download", ({ artifactId }) => ({
      data: Buffer.from(String(artifactId)).toString("base64"),
    }));
    const read = (messages[0]?.attachments ?? []).map(({ id = "" }) => inbox.download(id));
    expect((await Promise.all(read)).map((bytes) => Buffer.from(bytes).toString())).toEqual(["a0", "a1", "a2"]);
    gateway.respond("artifacts.list", () => ({ artifacts: [] }));
    const [first] = messages[0]?.attachments ?? [];
    await expect(inbox.download(first?.id ?? "")).rejects.toMatchObject(refused({ runId: "inline" }));
  });

  it("refuses more than maxBytes, whoever says how many they are", async () => {
    const { gateway, inbox, id } = await said();
    await expect(inbox.download(id, { maxBytes: 5 })).rejects.toMatchObject(refused({ maxBytes: 5 }));
    expect(await inbox.download(id, { maxBytes: 6 })).toEqual(BYTES);
    answerWith(gateway, { data: Buffer.from(BYTES).toString("base64") });
    await expect(inbox.download(id, { maxBytes: 5 })).rejects.toMatchObject(refused({ maxBytes: 5 }));
    expect(await inbox.download(id, { maxBytes: 6 })).toEqual(BYTES);
  });

  it.each([
    "https://elsewhere.example/api/secret",
    "http://169.254.169.254/api/latest/meta-data",
    "//elsewhere.example/api/x",
    "http://127.0.0.1:1/api/x",
    "http://user:pass@127.0.0.1/api/x",
    "file:///etc/passwd",
    "data:text/plain,api",
    "/etc/passwd",
    "/api/../metrics",
    "/api/%2e%2e/metrics",
    "\\\\elsewhere.example\\api\\x",
    "",
  ])("reads nothing from %j", async (url) => {
    const { gateway, inbox, id } = await said();
    answerWith(gateway, { url });
    const refusal = await inbox.download(id).catch((error: unknown) => error);
    expect(refusal).toMatchObject(refused({ gateway: "default", elsewhere: true }));
    if (url !== "") expect(String(refusal)).not.toContain(url);
  });

  it.each([{}, { url: 7 }, null, "bytes", { data: 7 }])("refuses the answer %j", async (answer) => {
    const { gateway, inbox, id } = await said();
    gateway.respond("artifacts.download", () => answer);
    await expect(inbox.download(id)).rejects.toMatchObject(refused({ gateway: "default" }));
  });

  it("tells a refusal without its ticket", async () => {
    const { gateway, inbox, id } = await said();
    answerWith(gateway, { url: "/api/gone?mediaTicket=v1.hush" });
    const refusal = await inbox.download(id).catch((error: unknown) => error);
    expect(refusal).toMatchObject(refused({ status: 404 }));
    expect(JSON.stringify({ ...(refusal as Error), text: String(refusal) })).not.toContain("hush");
  });

  it("passes on that the Gateway has the file no more", async () => {
    const { gateway, inbox, id } = await said();
    const [gatewayName, session, run] = JSON.parse(Buffer.from(id, "base64url").toString()) as string[];
    const gone = Buffer.from(JSON.stringify([gatewayName, session, run, null, "artifact_gone"])).toString("base64url");
    await expect(inbox.download(gone)).rejects.toMatchObject(refused({ method: "artifacts.download" }));
    gateway.drop();
    await until(() => inbox.links()[0]?.state !== "live", "the loss of the link");
    await expect(inbox.download(id)).rejects.toMatchObject({ code: "ERR_INBOX_NO_LINK" });
  });

  it("ends by its time limit and by its signal", async () => {
    const { gateway, inbox, clock, id } = await said();
    gateway.respond("artifacts.download", () => new Promise(() => {}));
    const late = inbox.download(id, { timeoutMs: 5_000 });
    late.catch(() => {});
    clock.advance(5_000);
    await expect(late).rejects.toMatchObject(refused({ timeoutMs: 5_000 }));
    const control = new AbortController();
    const reading = inbox.download(id, { signal: control.signal });
    control.abort(new Error("enough"));
    await expect(reading).rejects.toThrow("enough");
    await expect(inbox.download(id, { signal: control.signal })).rejects.toThrow("enough");
    const last = inbox.download(id);
    last.catch(() => {});
    await inbox.stop();
    await expect(last).rejects.toMatchObject({ code: "ERR_INBOX_STOPPED" });
    await expect(inbox.download(id)).rejects.toMatchObject({ code: "ERR_INBOX_STOPPED" });
  });

  it.each(["", "x", 7, undefined, Buffer.from("[]").toString("base64url"), "A".repeat(70_000)])(
    "throws for the id %j",
    async (id) => {
      const inbox = createInbox();
      await expect(inbox.download(id as string)).rejects.toMatchObject({ details: { option: "id" } });
    },
  );

  it.each([{ maxBytes: 0 }, { maxBytes: "1" }, { timeoutMs: 0 }, { timeoutMs: Number.NaN }, { signal: {} }])(
    "throws for %j",
    async (options) => {
      const [option = ""] = Object.keys(options);
      await expect(createInbox().download("x", options as object)).rejects.toMatchObject({ details: { option } });
    },
  );

  it("says that no connection can ask that Gateway", async () => {
    const { id } = await said();
    await expect(createInbox().download(id)).rejects.toMatchObject({ code: "ERR_INBOX_NO_LINK" });
  });
});

describe("over HTTP", () => {
  const signal = new AbortController().signal;

  it("follows no redirect, and sends the token only where there is no ticket", async () => {
    const seen: (string | undefined)[] = [];
    const address = await serve(createServer(), ({ url, headers }, response) => {
      seen.push(headers.authorization);
      if (url?.startsWith("/api/moved")) response.writeHead(302, { location: "/api/here" }).end();
      else response.end("here");
    });
    const source = gatewaySource({ url: `ws://${address}`, token: "hush" });
    const read = (path: string, maxBytes = 10) => source.download?.(path, { maxBytes, signal });
    await expect(read("/api/moved")).rejects.toMatchObject(refused({ status: 302 }));
    expect(await read("/api/here?mediaTicket=t")).toEqual(new Uint8Array(Buffer.from("here")));
    expect(seen).toEqual(["Bearer hush", undefined]);
  });

  it("stops a body that never ends at maxBytes", async () => {
    const address = await serve(createServer(), (_, response) => {
      response.on("error", () => {});
      const more = (): void => {
        if (response.write(Buffer.alloc(65_536))) setImmediate(more);
        else response.once("drain", more);
      };
      more();
    });
    const settings = { url: `ws://${address}`, name: "one" };
    await expect(downloadFile(settings, "/api/x", { maxBytes: 1_000_000, signal })).rejects.toMatchObject(
      refused({ maxBytes: 1_000_000 }),
    );
  });

  it("ends a silent server by the signal", async () => {
    const control = new AbortController();
    const address = await serve(createServer(), () => control.abort(new Error("enough")));
    const settings = { url: `ws://${address}`, name: "one" };
    await expect(downloadFile(settings, "/api/x", { maxBytes: 1, signal: control.signal })).rejects.toThrow("enough");
  });

  it("reads over TLS from the pinned certificate only", async () => {
    const server = createTlsServer({ cert: certificate, key: certificateKey });
    let asked = 0;
    const address = await serve(server as unknown as Server, (_, response) => {
      asked += 1;
      response.end("safe");
    });
    const settings = { url: `wss://${address}`, name: "one", token: "hush" };
    const read = (tlsFingerprint?: string) =>
      downloadFile({ ...settings, ...(tlsFingerprint && { tlsFingerprint }) }, "/api/x", { maxBytes: 10, signal });
    expect(Buffer.from(await read(new X509Certificate(certificate).fingerprint256)).toString()).toBe("safe");
    expect(asked).toBe(1);
    await expect(read("ab".repeat(32))).rejects.toMatchObject(refused({ gateway: "one" }));
    await expect(read()).rejects.toMatchObject(refused({ gateway: "one" }));
    expect(asked).toBe(1);
  });
});
