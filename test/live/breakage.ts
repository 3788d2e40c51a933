/**
 * How a Gateway says that its own state is broken. From then on it refuses every run until it is started
 * with a fresh home, so what is not heard of it says nothing about us.
 */
const BREAKAGES: readonly RegExp[] = [
  // Its database, when an agent is used for the first time while others run.
  /Agent database cleanup failed/,
];

/** What the Gateway said when `words`, an answer or the error of an event, tell of its own breakage. */
export function breakageIn(words: unknown): string | undefined {
  return typeof words === "string" && BREAKAGES.some((breakage) => breakage.test(words)) ? words : undefined;
}
