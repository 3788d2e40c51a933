import { createServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { closeTogether } from "./proxy.ts";

/** A reverse proxy as one stands before a Gateway: it says whose connection it passes on. */
export interface ForwardingProxy {
  readonly url: string;
  close(): Promise<void>;
}

/** Starts a reverse proxy on loopback that adds `X-Forwarded-For: clientAddress`. */
export async function startForwardingProxy(targetPort: number, clientAddress: string): Promise<ForwardingProxy> {
  const server = createServer();
  const sockets = new Set<Socket>();
  server.on("upgrade", ({ url, rawHeaders }, near: Socket, head) => {
    const headers = rawHeaders.flatMap((name, at) => (at % 2 === 0 ? [`${name}: ${rawHeaders[at + 1]}`] : []));
    const lines = [`GET ${url} HTTP/1.1`, ...headers, `X-Forwarded-For: ${clientAddress}`, "", ""];
    const far = connect(targetPort, "127.0.0.1", () => {
      far.write(lines.join("\r\n"));
      far.write(head);
      far.pipe(near).pipe(far);
    });
    closeTogether(near, far, sockets);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close() {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
