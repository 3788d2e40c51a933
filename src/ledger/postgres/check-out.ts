import type { PoolClient } from "pg";

// Whoever waits for an answer hears of a broken connection by that; without a listener it would end the process.
const ignore = () => {};

/** Makes a client that came from a pool safe to hold. */
export function hold(client: PoolClient): PoolClient {
  client.on("error", ignore);
  return client;
}

/** Gives a client back that is of use to others. */
export function giveBack(client: PoolClient): void {
  client.release();
  client.off("error", ignore);
}

/** Ends a client's connection at once, also a half-open one, whatever it waits for. */
export function destroy(client: PoolClient): void {
  const { connection } = client as unknown as {
    readonly connection?: { readonly stream?: { destroy?(): void } };
  };
  try {
    client.release(true);
  } catch {
    // It was released before.
  }
  connection?.stream?.destroy?.();
}
