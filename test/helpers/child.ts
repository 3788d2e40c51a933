import type { ChildProcess } from "node:child_process";
import { once } from "node:events";

/** Exit code and signal of a child with an IPC channel, once its last word has been read, too: the exit may be told before. */
export async function endOf(child: ChildProcess): Promise<[number | null, NodeJS.Signals | null]> {
  const [end] = await Promise.all([once(child, "exit"), once(child, "disconnect")]);
  return end as [number | null, NodeJS.Signals | null];
}

/** In a child: says its last word and disconnects once that is written, since a disconnect drops what is not. */
export function sayLast(word: object): void {
  process.send?.(word, undefined, undefined, () => process.disconnect());
}

/** Has a server end with this process at the latest. The result ends it, and resolves once it is gone. */
export function endWithProcess(child: ChildProcess): () => Promise<void> {
  const kill = () => child.kill("SIGKILL");
  process.once("exit", kill);
  return async () => {
    process.off("exit", kill);
    const gone = once(child, "exit");
    child.kill("SIGKILL");
    await gone;
  };
}
