import { once } from "node:events";
import type { Server as HttpServer } from "node:http";
import type { AddressInfo, Server } from "node:net";
import { onTestFinished } from "vitest";

/** Starts a server on a free port of loopback, until the test is over. Resolves with the port. */
export async function listening(server: Server | HttpServer): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    if ("closeAllConnections" in server) server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** A port of loopback on which `server` listened and nobody does now. */
export async function closedPort(server: Server): Promise<number> {
  const port = await listening(server);
  server.close();
  await once(server, "close");
  return port;
}
