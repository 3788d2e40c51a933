import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { type OfferedTool, type Plan, planReply, withOffered } from "./stub-script.ts";

/** A language model on loopback that says what its prompt tells it to; see {@link planReply}. */
export interface StubModel {
  /** The base URL of an OpenAI-compatible provider, ending in `/v1`. */
  readonly url: string;
  /** What it says to a prompt that does not tell. For one scenario at a time. */
  otherwise: string;
  stop(): Promise<void>;
}

/** Starts the stub model on a free port of loopback. */
export async function startStubModel(): Promise<StubModel> {
  const server = createServer((request, response) => {
    answer(request, response, model.otherwise).catch(() => response.destroy());
  });
  const model = { url: "", otherwise: "stub: the prompt holds no directive", stop: () => close(server) };
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  return Object.assign(model, { url: `http://127.0.0.1:${port}/v1` });
}

function close(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}

interface CompletionRequest {
  readonly model?: string;
  readonly stream?: boolean;
  readonly messages?: readonly unknown[];
  readonly tools?: readonly OfferedTool[];
}

async function answer(request: IncomingMessage, response: ServerResponse, otherwise: string): Promise<void> {
  if (request.method === "GET") {
    return json(response, 200, { object: "list", data: [{ id: "stub-1", object: "model", owned_by: "stub" }] });
  }
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  const body = JSON.parse(Buffer.concat(parts).toString("utf8")) as CompletionRequest;
  const plan = withOffered(planReply(body.messages ?? [], otherwise), body.tools);
  if (plan.kind === "fail") {
    return json(response, plan.status, {
      error: { message: `stub says ${plan.status}`, type: "stub_error", code: "stub_error" },
    });
  }
  if (body.stream === true) return stream(response, plan, body.model ?? "stub-1");
  const choice = { index: 0, message: { role: "assistant", content: plan.text }, finish_reason: "stop" };
  return json(response, 200, { ...head(body.model ?? "stub-1", "chat.completion"), choices: [choice], usage: USAGE });
}

async function stream(response: ServerResponse, plan: Exclude<Plan, { kind: "fail" }>, model: string): Promise<void> {
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
  const send = (delta: object, finish: string | null = null): boolean =>
    response.write(
      `data: ${JSON.stringify({ ...head(model, "chat.completion.chunk"), choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`,
    );
  send({ role: "assistant", content: "" });
  for (const piece of plan.pieces) {
    if (response.destroyed) return;
    send({ content: piece });
    if (plan.delayMs > 0) await delay(plan.delayMs);
  }
  if (plan.kind === "tool") {
    const call = { name: plan.toolName, arguments: plan.toolArgs };
    send({ tool_calls: [{ index: 0, id: `call_stub_${Date.now()}`, type: "function", function: call }] });
  }
  send({}, plan.kind === "tool" ? "tool_calls" : "stop");
  response.end(
    `data: ${JSON.stringify({ ...head(model, "chat.completion.chunk"), choices: [], usage: USAGE })}\n\ndata: [DONE]\n\n`,
  );
}

const USAGE = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 };

function head(model: string, object: string): object {
  return { id: `chatcmpl-stub-${Date.now()}`, object, created: Math.floor(Date.now() / 1000), model };
}

function json(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}
