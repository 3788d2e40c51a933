import { type IncomingHttpHeaders, request } from "node:http";

/** A whole answer. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Sends a request with any headers. `fetch` sends no `Host`, for example. */
export function ask(url: string, options: { method?: string; headers?: Record<string, string> } = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { agent: false, ...options }, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (piece: string) => {
        body += piece;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
      response.on("error", reject);
    });
    asked.on("error", reject);
    asked.end();
  });
}

/** A stream of server-sent events. */
export interface EventStream {
  /** Resolves with the parsed data of the next event. */
  next(): Promise<unknown>;
  close(): void;
}

/** Opens a stream of server-sent events. Resolves with its headers. */
export function openEventStream(url: string): Promise<EventStream> {
  return new Promise((resolve, reject) => {
    const events: unknown[] = [];
    const waiting: ((event: unknown) => void)[] = [];
    let rest = "";
    const asked = request(url, { agent: false }, (response) => {
      response.setEncoding("utf8");
      response.on("data", (piece: string) => {
        const blocks = `${rest}${piece}`.split("\n\n");
        rest = blocks.pop() ?? "";
        for (const data of blocks.flatMap((block) => /^data: (.*)$/m.exec(block)?.[1] ?? [])) {
          const event: unknown = JSON.parse(data);
          const waiter = waiting.shift();
          if (waiter === undefined) events.push(event);
          else waiter(event);
        }
      });
      response.on("error", () => {});
      resolve({
        next: () => (events.length > 0 ? Promise.resolve(events.shift()) : new Promise((take) => waiting.push(take))),
        close: () => asked.destroy(),
      });
    });
    asked.on("error", reject);
    asked.end();
  });
}
