import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { defaults, retryDefaults } from "../../src/options.ts";
import { zeroCounts } from "../../src/report/counters.ts";
import { type Declaration, declarationIn, type Exported, exportsOf, root } from "./declarations.ts";
import { type Row, readPage, type Section, sectionsOf } from "./page.ts";

const { exports: subpaths } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  exports: Record<string, string | { default: string }>;
};

/** The subpaths that are code, with the file that each is built from. */
const modules = Object.entries(subpaths).flatMap(([subpath, target]) => {
  if (typeof target === "string") return [];
  const file = target.default.replace(/^\.\/dist\//, "").replace(/\.js$/, ".ts");
  return [{ subpath: subpath.replace(/^\./, "openclaw-inbox"), file }];
});

const parts = sectionsOf(readPage("docs/api.md"), 2);
const partOf = (subpath: string) => parts.find(({ names }) => names[0] === subpath);
const sectionsOfPart = (subpath: string) => sectionsOf(partOf(subpath)?.text ?? "", 3);

/** The tables whose first column names members of a type. */
const MEMBERS = new Set(["option", "field", "method", "observable", "counter", "gauge"]);
const membersIn = ({ tables }: Section) => tables.filter(({ of }) => MEMBERS.has(of)).flatMap(({ rows }) => rows);

describe("docs/api.md", () => {
  it("has one section for each subpath", () => {
    expect(parts.map(({ names }) => names[0]).sort()).toEqual(modules.map(({ subpath }) => subpath).sort());
  });

  for (const { subpath, file } of modules) {
    const exported = exportsOf(file);
    const sections = sectionsOfPart(subpath);

    describe(subpath, () => {
      it("has one heading for each export", async () => {
        const values = Object.keys((await import(join(root, file))) as object);
        const known = exported.filter(({ isType }) => !isType).map(({ name }) => name);
        expect(known.sort(), "the test reads the module as it is").toEqual(values.sort());
        expect(sections.flatMap(({ names }) => names).sort()).toEqual(exported.map(({ name }) => name).sort());
      });

      it.each(sections.map((section) => [section.names.join(", "), section] as const))("%s", (_, section) => {
        // Made from a table: its members are known when it runs, below.
        if (section.names[0] === "InboxStats") return;
        expectMembers(
          section,
          section.names.flatMap((name) => find(exported, name)?.declaration ?? []),
        );
      });

      const unnamed = sections.flatMap(({ text }) => sectionsOf(text, 4));
      if (unnamed.length === 0) return;
      it.each(unnamed.map((section) => [section.names.join(", "), section] as const))(
        "%s, not exported",
        (_, section) => {
          const [name = ""] = section.names;
          expect(find(exported, name), "a heading of its own").toBeUndefined();
          const declaration = declarationIn("src", name);
          expect(declaration, "declared in src").toBeDefined();
          expectMembers(section, declaration === undefined ? [] : [declaration]);
        },
      );
    });
  }

  it("states the defaults", () => {
    const sections = sectionsOfPart("openclaw-inbox");
    for (const [of, inForce] of [
      ["InboxOptions", defaults],
      ["RetryOptions", retryDefaults],
    ] as const) {
      const section = sections.find(({ names }) => names[0] === of) as Section;
      const plain = Object.entries(inForce).filter(([, value]) =>
        ["number", "string", "boolean"].includes(typeof value),
      );
      expect(plain.length).toBeGreaterThan(2);
      for (const [name, value] of plain) {
        const row = membersIn(section).find((candidate) => candidate.name === name);
        expect(defaultIn(row), `the default of ${name}`).toBe(String(value));
      }
    }
  });

  it("has a row for each counter", () => {
    const section = sectionsOfPart("openclaw-inbox").find(({ names }) => names[0] === "InboxStats") as Section;
    expect(membersIn(section).map(({ name }) => name)).toEqual(Object.keys(zeroCounts()));
  });
});

/** Holds the tables of a section to the members, words and defaults of what it is about. */
function expectMembers(section: Section, declarations: readonly Declaration[]): void {
  const members = declarations.flatMap((declaration) => declaration.members);
  const rows = membersIn(section);
  expect(rows.map(({ name }) => name).sort()).toEqual([...new Set(members.map(({ name }) => name))].sort());
  for (const { kind, text } of declarations) {
    // What an alias says in words must be said here, too.
    const words = kind === "type" ? text.matchAll(/"([\w-]+)"|readonly (\w+)/g) : [];
    for (const [, literal, name = literal] of words) expect(section.text).toMatch(new RegExp(`\\b${name}\\b`));
  }
  for (const { name, doc } of members) {
    const stated = statedDefault(doc);
    const row = rows.find((candidate) => candidate.name === name);
    if (stated !== undefined) expect(defaultIn(row), `the default of ${name}`).toBe(stated);
  }
}

function find(exported: readonly Exported[], name: string): Exported | undefined {
  return exported.find((one) => one.name === name);
}

/** The plain default that a doc comment states: a number, a word in quotes, or a boolean. */
function statedDefault(doc: string): string | undefined {
  const [, value] = /(?:@default|Default:?) `?("[\w-]+"|[\d,_]+|true|false|Infinity)/.exec(doc) ?? [];
  return value === undefined ? undefined : plain(value);
}

function defaultIn(row: Row | undefined): string | undefined {
  const [, value] = /^`?("[\w-]+"|[\d,]+|true|false|Infinity)/.exec(row?.cells[1] ?? "") ?? [];
  return value === undefined ? undefined : plain(value);
}

function plain(value: string): string {
  return value.replace(/["_,]/g, "").replace(/^-$/, "");
}
