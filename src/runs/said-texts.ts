import { Queue } from "../kit/queue.ts";

/** What a text takes beside its characters, in bytes. */
const ENTRY_BYTES = 100;

/**
 * Keeps the texts of the latest dispatched runs, each in what is remembered of its run. A map of its own would be one
 * more lookup for each message.
 */
export class SaidTexts<R extends { said: string }> {
  private readonly maxBytes: number;
  private runs = new Queue<R>();
  private bytes = 0;

  /** `maxBytes`: the most memory for all texts, at two bytes a character. Beyond it the oldest are forgotten. */
  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  keep(run: R, text: string): void {
    run.said = text;
    this.runs.push(run);
    this.bytes += bytesOf(run);
    while (this.bytes > this.maxBytes) this.forgetOldest();
  }

  clear(): void {
    while (this.runs.size > 0) this.forgetOldest();
  }

  private forgetOldest(): void {
    const run = this.runs.shift();
    if (run === undefined) return;
    this.bytes -= bytesOf(run);
    run.said = "";
  }
}

function bytesOf({ said }: { readonly said: string }): number {
  return 2 * said.length + ENTRY_BYTES;
}
