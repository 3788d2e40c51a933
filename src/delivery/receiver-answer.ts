const answers = new WeakMap<object, string>();

/**
 * Keeps what a receiver answered when it refused a message beside the error, not in it: errors are logged, and an answer
 * may repeat the message.
 */
export function keepAnswer(error: object, answer: string): void {
  answers.set(error, answer);
}

/** The answer that was kept with this error. */
export function answerKeptWith(error: unknown): string | undefined {
  return typeof error === "object" && error !== null ? answers.get(error) : undefined;
}
