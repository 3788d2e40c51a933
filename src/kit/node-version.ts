/** The oldest Node that will do, as `engines` of package.json says. */
const OLDEST = [22, 19] as const;

/** A sentence for a person where this Node is too old; undefined where it will do. */
export function nodeProblem(version = process.versions.node): string | undefined {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const isOld = major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]);
  return isOld ? `Node ${OLDEST.join(".")} or later is needed, and this is Node ${version}` : undefined;
}
