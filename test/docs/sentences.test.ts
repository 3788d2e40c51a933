import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { root } from "./declarations.ts";
import { readPage } from "./page.ts";

const MAX_WORDS = 25;

const pages = [".", "docs", "docs/guides", "examples", "examples/deploy", "bench"].flatMap((folder) =>
  readdirSync(join(root, folder))
    .filter((name) => name.endsWith(".md"))
    .map((name) => join(folder, name)),
);

/** The paragraphs and list items of a page, without its code blocks, headings and tables. Code and links are one letter. */
function paragraphs(page: string): readonly string[] {
  return page
    .replace(/^```[\s\S]*?^```/gm, "")
    .replace(/^(?:#|\|).*$/gm, "")
    .split(/\n\s*\n|^\s*(?:[-*]|\d+\.) /m)
    .map((text) => text.replace(/`[^`]*`|\[[^\]]*\]\([^)]*\)/g, "A").replace(/\s+/g, " "));
}

function sentences(paragraph: string): readonly string[] {
  return paragraph.split(/(?<=[.!?:]["”)*]*) (?=\W*[A-Z0-9]|esbuild|webpack)/);
}

function words(sentence: string): number {
  return sentence.split(" ").filter((word) => /\w\w|^[aAI]$/.test(word) && word !== "A").length;
}

describe("the sentences of the pages", () => {
  it("are found", () => {
    expect(pages.flatMap((page) => paragraphs(readPage(page)).flatMap(sentences)).length).toBeGreaterThan(1_500);
  });

  it.each(pages)(`have at most ${MAX_WORDS} words in %s`, (page) => {
    const long = paragraphs(readPage(page))
      .flatMap(sentences)
      .filter((sentence) => words(sentence) > MAX_WORDS);
    expect(long).toEqual([]);
  });
});
