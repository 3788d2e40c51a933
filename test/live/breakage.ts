/** How a Gateway says that its own state is broken. What is not heard of it then says nothing about us. */
const BREAKAGES: readonly RegExp[] = [
  // An agent is used for the first time while others run. Every run is refused until there is a fresh home.
  /Agent database cleanup failed/,
  // It closed a database that it was opening, as 2026.9.6 did right after a restart. The request is lost.
  /Agent database (?:open was re|closed before|admission failed)/,
];

/** What the Gateway said when `words`, an answer or the error of an event, tell of its own breakage. */
export function breakageIn(words: unknown): string | undefined {
  return typeof words === "string" && BREAKAGES.some((breakage) => breakage.test(words)) ? words : undefined;
}
