import type { PoolClient } from "pg";

// A broken connection rejects the query that waits. Without a listener its `error` event would end the process.
const ignore = () => {};

/** Makes a client from a pool safe to keep. */
export function hold(client: PoolClient): PoolClient {
  client.on("error", ignore);
  return client;
}

/** Returns a client to its pool, for others to use. */
export function giveBack(client: PoolClient): void {
  client.release();
  client.off("error", ignore);
}

/** Ends a client's connection at once, even a half-open one that waits for something. */
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
