/** A source over a real socket that reconnects when the test says so. The official client would wait for a second. */
import { WebSocket } from "ws";
import type { Source, SourceListener } from "../../src/source/source.ts";
import { createSocketRequests } from "../../src/source/websocket/requests.ts";
import type { FakeGateway } from "../../src/testing/index.ts";
import { connectParams } from "../testing/helpers.ts";

export interface ReturningSource extends Source {
  /** Cuts the connection off and resolves when the Gateway has noticed. */
  cut(): Promise<void>;
  /** Connects again, and resolves when the Gateway has accepted us. */
  comeBack(): Promise<void>;
}

export function returningSource(gateway: FakeGateway, scopes: readonly string[] = ["operator.read"]): ReturningSource {
  let listener: SourceListener | undefined;
  let socket: WebSocket | undefined;
  let requests: ReturnType<typeof createSocketRequests> | undefined;

  function connect(): Promise<void> {
    const opened = new WebSocket(gateway.url);
    const asked = createSocketRequests(opened, "one", 30_000);
    socket = opened;
    requests = asked;
    listener?.link({ type: "connect" });
    return new Promise((resolve) => {
      opened.on("message", (data) => {
        const text = String(data);
        if (asked.takeAnswer(text) === true) return;
        if (!text.includes('"connect.challenge"')) return listener?.frame(text);
        void asked.request("connect", connectParams(gateway.token, scopes)).then((hello) => {
          listener?.link({ type: "hello", hello: hello as object });
          resolve();
        });
      });
      opened.on("close", () => {
        asked.endAll();
        if (socket === opened) listener?.link({ type: "lost", reason: "cut by the test" });
      });
      opened.on("error", () => {});
    });
  }

  return {
    name: "one",
    open(opened) {
      listener = opened;
      void connect();
    },
    async close() {
      listener = undefined;
      socket?.terminate();
    },
    request: (method, params, options) =>
      requests?.request(method, params, options) ?? Promise.reject(new Error("closed")),
    async cut() {
      const gone = gateway.nextDisconnection();
      socket?.terminate();
      await gone;
    },
    comeBack: connect,
  };
}
