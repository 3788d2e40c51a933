const answers = new WeakMap<object, string>();

/** Stores a receiver's answer beside the error, not in it. Errors are logged, and an answer may repeat the message. */
export function keepAnswer(error: object, answer: string): void {
  answers.set(error, answer);
}

/** The answer that was stored for this error. */
export function answerKeptWith(error: unknown): string | undefined {
  return typeof error === "object" && error !== null ? answers.get(error) : undefined;
}
