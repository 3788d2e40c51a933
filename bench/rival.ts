/** A message that a rival produced. */
export interface Said {
  readonly runId: string;
  readonly text: string;
}

/** One way to turn frames into messages. */
export interface Rival {
  /** Resolves when it can take frames. Default: at once. */
  readonly ready?: Promise<void>;
  /** Begins many runs at once, for a rival that would need minutes to begin them one by one. */
  beginMany?(runIds: readonly string[]): void;
  /** Takes one frame, as text. */
  take(frame: string): void;
  /** The messages since the last call. */
  messages(): readonly Said[];
  /** Resolves when every message has come out. */
  settle?(): Promise<void>;
  close(): void | Promise<void>;
}

/** Throws unless `messages` has each ended run exactly once, with its whole text. */
export function checkMessages(messages: readonly Said[], ended: readonly string[], text: string): void {
  const expected = new Set(ended);
  for (const message of messages) {
    if (!expected.delete(message.runId)) throw new Error(`A message of ${message.runId}, which had not ended`);
    if (message.text !== text) throw new Error(`The wrong text for ${message.runId}`);
  }
  if (expected.size > 0) throw new Error(`${expected.size} of ${ended.length} messages are missing`);
}
