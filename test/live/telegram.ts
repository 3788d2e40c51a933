import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** Telegram's Bot API on loopback, with one bot and one person. */
export interface StubTelegram {
  /** What the Gateway takes for `https://api.telegram.org`. */
  readonly url: string;
  /** Has the person write to the bot. */
  write(text: string): void;
  close(): Promise<void>;
}

/** The token of the bot. */
export const BOT_TOKEN = "100000001:stub-stub-stub-stub-stub-stub-stub-st";

const BOT = { id: 100_000_001, is_bot: true, first_name: "Stub", username: "stub_bot" };
const PERSON = { id: 4_242, is_bot: false, first_name: "Ada" };
const CHAT = { id: PERSON.id, type: "private", first_name: PERSON.first_name };

/** Starts it on a free port of loopback. It answers each method that it does not know with `true`. */
export async function startStubTelegram(): Promise<StubTelegram> {
  const updates: { readonly update_id: number; readonly message: object }[] = [];
  const waiting = new Set<() => void>();
  // Beyond those of an earlier stub: a Gateway leaves out what it has had.
  let lastId = Math.floor(Date.now() / 1000);

  const message = (from: object, text: unknown): object => {
    lastId += 1;
    return { message_id: lastId, from, chat: CHAT, date: Math.floor(Date.now() / 1000), text };
  };
  const answerUpdates = (response: ServerResponse, offset: number): void => {
    const send = (): void => {
      waiting.delete(send);
      ok(
        response,
        updates.filter(({ update_id }) => update_id >= offset),
      );
    };
    response.once("close", () => waiting.delete(send));
    if (updates.some(({ update_id }) => update_id >= offset)) send();
    else waiting.add(send);
  };
  const server = createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://stub");
    const params = { ...Object.fromEntries(searchParams), ...(await bodyOf(request)) };
    switch (pathname.split("/").at(-1)?.toLowerCase()) {
      case "getupdates":
        return answerUpdates(response, Number(params.offset ?? 0));
      case "getme":
        return ok(response, { ...BOT, can_join_groups: false, can_read_all_group_messages: false });
      case "getchat":
        return ok(response, CHAT);
      case "getwebhookinfo":
        return ok(response, { url: "", has_custom_certificate: false, pending_update_count: 0 });
      case "getmycommands":
        return ok(response, []);
      case "sendmessage":
      case "editmessagetext":
        return ok(response, message(BOT, params.text));
      default:
        return ok(response, true);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    write(text) {
      updates.push({ update_id: lastId + 1, message: message(PERSON, text) });
      for (const send of [...waiting]) send();
    },
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

async function bodyOf(request: IncomingMessage): Promise<Readonly<Record<string, unknown>>> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  try {
    return JSON.parse(Buffer.concat(parts).toString("utf8")) as Record<string, unknown>;
  } catch {
    return {};
  }
}

function ok(response: ServerResponse, result: unknown): void {
  response.writeHead(200, { "content-type": "application/json" });
  response.end(JSON.stringify({ ok: true, result }));
}
