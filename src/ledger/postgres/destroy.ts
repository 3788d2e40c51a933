import type { PoolClient } from "pg";

/** Ends a client's connection at once, also a half-open one, whatever it waits for. */
export function destroy(client: PoolClient): void {
  client.on("error", () => {});
  const { connection } = client as unknown as { readonly connection?: { readonly stream?: { destroy?(): void } } };
  try {
    client.release(true);
  } catch {
    // It was released before.
  }
  connection?.stream?.destroy?.();
}
