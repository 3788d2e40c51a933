import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** A TCP proxy between an inbox and the Gateway, so that a cut is a real one: both see their socket die. */
export interface TcpProxy {
  readonly url: string;
  /** Destroys every connection. What was on its way is lost. New ones wait until `mend`. */
  cut(): void;
  mend(): void;
  close(): Promise<void>;
}

/** Starts a proxy on a free port of loopback. */
export async function startProxy(targetPort: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  const waiting = new Set<Socket>();
  let isCut = false;
  const pass = (near: Socket): void => {
    const far = connect(targetPort, "127.0.0.1");
    closeTogether(near, far, sockets);
    far.pipe(near).pipe(far);
  };
  // A connection that waits is there as soon as the network is: no pause before the next try hides what is close in time.
  const wait = (near: Socket): void => {
    waiting.add(near);
    near.on("error", () => undefined);
    near.once("close", () => waiting.delete(near));
  };
  const server = createServer((near) => (isCut ? wait(near) : pass(near)));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut() {
      isCut = true;
      for (const socket of sockets) socket.destroy();
    },
    mend() {
      isCut = false;
      for (const near of waiting) pass(near);
      waiting.clear();
    },
    close() {
      for (const socket of [...sockets, ...waiting]) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

/** Has each of two sockets close when the other does. Keeps both in `sockets` while they are open. */
export function closeTogether(near: Socket, far: Socket, sockets: Set<Socket>): void {
  for (const [socket, other] of [
    [near, far],
    [far, near],
  ] as const) {
    sockets.add(socket);
    // A reset is followed by `close`.
    socket.on("error", () => undefined);
    socket.once("close", () => {
      sockets.delete(socket);
      other.destroy();
    });
  }
}
