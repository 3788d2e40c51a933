import { globSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it, vi } from "vitest";
import { checkContents, type Packed } from "../../scripts/pack-contents.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const pages = globSync(["docs/**/*.md", "examples/**/*", "*.md"], { cwd: root }).filter((path) =>
  statSync(`${root}/${path}`).isFile(),
);
const documents = ["LICENSE", "package.json", ...pages];
const types = "dist/src/index.d.ts";

function packed(paths: readonly string[], bytes = 1_000): Packed {
  const files = paths.map((path) => ({ path, size: bytes }));
  return { filename: "openclaw-inbox.tgz", size: bytes, unpackedSize: bytes, files };
}

describe("the check of the package's files", () => {
  vi.spyOn(console, "log").mockImplementation(() => {});

  it("passes for documents and what was built", () => {
    checkContents(packed([...documents, types, "dist/src/inspector/page/index.html"]), root);
  });

  it.each([
    ["a document is missing", documents.slice(1), "LICENSE is missing"],
    [
      "a linked page is left out",
      documents.filter((path) => path !== "docs/api.md"),
      "links to docs/api.md, which is not in",
    ],
    ["a test slipped in", [...documents, "test/readme.test.ts"], "test/readme.test.ts comes from no source"],
    ["a built file's source is gone", [...documents, "dist/src/gone.d.ts"], "dist/src/gone.d.ts comes from no source"],
    ["there is a map", [...documents, "dist/src/index.js.map"], "dist/src/index.js.map is a map"],
  ])("fails when %s", (_what, paths, complaint) => {
    expect(() => checkContents(packed(paths), root)).toThrow(complaint);
  });

  it("fails when it has grown", () => {
    expect(() => checkContents(packed([...documents, types], 1_000_000), root)).toThrow(
      "the tarball: 1000000 bytes are more than 950000",
    );
  });
});
