import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { root } from "./declarations.ts";
import { readPage } from "./page.ts";

const TITLE = /(?:\b(?:it|test|describe)(?:\.\w+)*\(|\)\()\s*(?:"((?:[^"\\]|\\.)*)"|`((?:[^`\\]|\\.)*)`)\s*,/g;

const titles = readdirSync(join(root, "test"), { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts"))
  .flatMap((file) =>
    Array.from(readPage(`test/${file}`).matchAll(TITLE), ([, plain, template]) => ({ file, title: plain ?? template })),
  );

describe("the titles of tests", () => {
  it("are found", () => {
    expect(titles.length).toBeGreaterThan(1_000);
  });

  it("have at most 80 characters and one comma and state facts", () => {
    const isLong = (title = "") => title.length > 80 || title.split(", ").length > 2 || /\bshould\b/.test(title);
    expect(titles.filter(({ title }) => isLong(title))).toEqual([]);
  });
});
