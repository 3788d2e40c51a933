import { lookup } from "node:dns/promises";
import { connect } from "node:net";
import { type Finding, failed, ok } from "./finding.ts";

/** How long a machine may take to answer, in ms. */
const CONNECT_TIMEOUT_MS = 5_000;

/** Whether something listens at an address. */
export async function checkAddress(url: URL): Promise<Finding> {
  const check = "address";
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const port = Number(url.port || (url.protocol === "wss:" || url.protocol === "https:" ? 443 : 80));
  try {
    await lookup(host);
  } catch {
    return failed(
      check,
      `The name ${host} is unknown here.`,
      "Correct the name in --url. In Docker it is the name of the Gateway's service, and both must be in one network.",
    );
  }
  const error = await connectTo(host, port);
  if (error === undefined) return ok(check, `Something listens at ${url.host}.`);
  if (error === "ECONNREFUSED") {
    return failed(
      check,
      `Nothing listens at ${url.host}.`,
      "Start the Gateway (`openclaw gateway`). From another machine or container it must listen there: set gateway.bind in its config.",
    );
  }
  return failed(check, `${url.host} does not answer (${error}).`, "Look at firewalls and at the port in --url.");
}

/** Undefined when the connection was made, else the error's code. */
function connectTo(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: CONNECT_TIMEOUT_MS });
    const end = (code: string | undefined) => {
      socket.destroy();
      resolve(code);
    };
    socket.once("connect", () => end(undefined));
    socket.once("timeout", () => end("ETIMEDOUT"));
    socket.once("error", (error: NodeJS.ErrnoException) => end(error.code ?? error.name));
  });
}
