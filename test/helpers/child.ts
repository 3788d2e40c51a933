import type { ChildProcess } from "node:child_process";
import { once } from "node:events";

/** Resolves with exit code and signal of a child, once its last message is read. The exit may come before the message. */
export async function endOf(child: ChildProcess): Promise<[number | null, NodeJS.Signals | null]> {
  const [end] = await Promise.all([once(child, "exit"), once(child, "disconnect")]);
  return end as [number | null, NodeJS.Signals | null];
}

/** Called in a child: sends the last message and then disconnects. Messages that are not written yet would be lost. */
export function sayLast(word: object): void {
  process.send?.(word, undefined, undefined, () => process.disconnect());
}

/** Has a server end with this process at the latest. The returned function ends it, and resolves once it is gone. */
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
