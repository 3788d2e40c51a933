/**
 * The releases that the matrix runs: of each generation of the wire the first, the last and some
 * between, oldest first. Releases up to 2026.5.7 speak protocol 3, which the official client refuses.
 */
const MATRIX_RELEASES = [
  "2026.5.12",
  "2026.5.28",
  "2026.6.11",
  "2026.6.35",
  "2026.7.1",
  "2026.7.35",
  "2026.8.1",
  "2026.8.2",
  "2026.9.1",
  "2026.9.5",
  "2026.9.6",
] as const;

const NAMED: ReadonlyMap<string, string> = new Map([
  ["oldest", MATRIX_RELEASES[0]],
  ["middle", "2026.7.35"],
  ["newest", MATRIX_RELEASES[MATRIX_RELEASES.length - 1] as string],
]);

/**
 * The versions that a flag asks for: a list, separated by commas, of versions and of the words `oldest`,
 * `middle`, `newest` and `all`.
 *
 * @throws {Error} for anything that is neither.
 */
export function chosenReleases(list: string): readonly string[] {
  return list.split(",").flatMap((item) => {
    const word = item.trim();
    if (word === "all") return MATRIX_RELEASES;
    const version = NAMED.get(word) ?? word;
    if (/^\d{4}\.\d+\.\d+(-[\w.]+)?$/.test(version)) return [version];
    throw new Error(`expected a version such as 2026.7.1, oldest, middle, newest or all, got ${JSON.stringify(word)}`);
  });
}

/** Whether the release `version` is `other` or a later one. The parts are compared as numbers. */
export function isAtLeast(version: string, other: string): boolean {
  const [left, right] = [parts(version), parts(other)];
  const index = left.findIndex((part, at) => part !== right[at]);
  return index === -1 || (left[index] ?? 0) > (right[index] ?? 0);
}

function parts(version: string): readonly number[] {
  return version.split(/[.-]/).slice(0, 3).map(Number);
}
