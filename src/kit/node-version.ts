/** The oldest Node that is supported, as in `engines` of package.json. */
const OLDEST = [22, 19] as const;

/** A sentence for a person when this Node is too old; undefined when it is not. */
export function nodeProblem(version = process.versions.node): string | undefined {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const isOld = major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]);
  return isOld ? `Node ${OLDEST.join(".")} or later is needed, and this is Node ${version}` : undefined;
}
