import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** What `npm pack --json` says of a tarball. */
export interface Packed {
  readonly filename: string;
  /** Bytes of the tarball: what is fetched. */
  readonly size: number;
  /** Bytes on the disk of whoever installs it. */
  readonly unpackedSize: number;
  readonly files: readonly { readonly path: string; readonly size: number }[];
}

/** What people fetch: about half of it recordings, a tenth the docs. */
const MAX_TARBALL_BYTES = 950_000;
/** The recordings of a real Gateway, which the demo and the fake Gateway play: 3.8 MB of JSON that packs to a tenth. */
const MAX_RECORDINGS_BYTES = 4_000_000;
/** The pages and examples. Pictures stay in the repository. */
const MAX_DOCS_BYTES = 400_000;
/** Everything else. */
const MAX_OTHER_BYTES = 1_500_000;

const documents = ["CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "README.md", "SECURITY.md", "package.json"];
const isPage = (path: string) => path.endsWith(".md");
const isDoc = (path: string) => isPage(path) || path.startsWith("examples/");
const isRecording = (path: string) => path.startsWith("dist/src/testing/recordings/");

/**
 * The tarball holds the build, what belongs to it, and nothing else.
 *
 * @throws {Error} with each thing that is wrong.
 */
export function checkContents({ files, size }: Packed, root: string): void {
  const wrong: string[] = [];
  const paths = files.map(({ path }) => path);
  for (const path of documents) if (!paths.includes(path)) wrong.push(`${path} is missing`);
  for (const path of paths) {
    if (documents.includes(path)) continue;
    if (isDoc(path)) {
      if (!existsSync(join(root, path))) wrong.push(`${path} comes from no source`);
      continue;
    }
    if (!sourcesOf(path).some((source) => existsSync(join(root, source)))) wrong.push(`${path} comes from no source`);
    // The sources are not in the tarball, so a map would lead nowhere.
    if (path.endsWith(".map")) wrong.push(`${path} is a map`);
    else if (path.endsWith(".js") && readFileSync(join(root, path), "utf8").includes("sourceMappingURL"))
      wrong.push(`${path} names a map`);
  }
  for (const page of paths.filter(isPage))
    for (const target of linksOf(page, root))
      if (!paths.some((path) => path === target || path.startsWith(`${target}/`)))
        wrong.push(`${page} links to ${target}, which is not in the tarball`);
  const bytes = (which: (path: string) => boolean) =>
    files.reduce((sum, file) => sum + (which(file.path) ? file.size : 0), 0);
  const sizes: [string, number, number][] = [
    ["the tarball", size, MAX_TARBALL_BYTES],
    ["its recordings", bytes(isRecording), MAX_RECORDINGS_BYTES],
    ["its pages and examples", bytes(isDoc), MAX_DOCS_BYTES],
    ["all else in it", bytes((path) => !isRecording(path) && !isDoc(path)), MAX_OTHER_BYTES],
  ];
  for (const [what, actual, most] of sizes) {
    console.log(`         ${what}: ${(actual / 1_000).toFixed(0)} of at most ${(most / 1_000).toFixed(0)} kB`);
    if (actual > most) wrong.push(`${what}: ${actual} bytes are more than ${most}`);
  }
  if (wrong.length > 0) throw new Error(wrong.join("\n"));
}

/** The files that a page links to, from the root; without pictures and sources, which only the repository has. */
function linksOf(page: string, root: string): readonly string[] {
  const text = readFileSync(join(root, page), "utf8").replace(/^```[\s\S]*?^```/gm, "");
  return Array.from(text.matchAll(/(?<!!)\[[^\]]*\]\((?!https?:)([^)#\s]+)/g), ([, path = ""]) =>
    join(dirname(page), path),
  )
    .map((path) => path.replace(/\/$/, ""))
    .filter((path) => !/^(src|machines|test|bench)\//.test(path));
}

/** Where a built file may come from: a source of its own, or a file that was copied. Nothing else is built. */
function sourcesOf(path: string): readonly string[] {
  if (!/^dist\/(src|machines)\//.test(path)) return [];
  const source = path.slice("dist/".length);
  return [source, source.replace(/(\.d\.ts|\.js)$/, ".ts")];
}
