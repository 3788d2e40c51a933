import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { root } from "./declarations.ts";
import { readPage } from "./page.ts";

const pages = [".", "docs", "docs/guides", "examples"].flatMap((folder) =>
  readdirSync(join(root, folder))
    .filter((file) => file.endsWith(".md"))
    .map((file) => join(folder, file)),
);

/** The anchors of a page's headings, as repository hosts make them. */
function anchorsOf(page: string): readonly string[] {
  return Array.from(readPage(page).matchAll(/^#+ (.*)$/gm), ([, heading = ""]) =>
    heading
      .toLowerCase()
      .replace(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  );
}

describe("the links of a page", () => {
  it.each(pages)("lead to an existing file and heading: %s", (page) => {
    // Code is not read: brackets and parentheses meet there, too.
    const text = readPage(page).replace(/^```[\s\S]*?^```/gm, "");
    for (const [, path = "", anchor] of text.matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)/g)) {
      const target = path === "" ? page : join(dirname(page), path);
      expect(existsSync(join(root, target)), `${path} in ${page}`).toBe(true);
      if (anchor !== undefined) expect(anchorsOf(target), `${path}#${anchor} in ${page}`).toContain(anchor);
    }
  });
});
