import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { runCli } from "../../src/cli/cli.ts";
import { commands } from "../../src/cli/commands.ts";
import { variableOf } from "../../src/cli/environment.ts";
import { createTerminal } from "../../src/cli/terminal.ts";
import { keptStreams } from "../cli/streams.ts";
import { root } from "./declarations.ts";
import { readPage } from "./page.ts";

const pages = [
  "README.md",
  ...["docs", "docs/guides", "examples", "examples/deploy"].flatMap((folder) =>
    readdirSync(join(root, folder))
      .filter((file) => file.endsWith(".md"))
      .map((file) => join(folder, file)),
  ),
];

/** A command line of ours that a page shows in a block of `sh`, with what the block and those before it have exported. */
interface Shown {
  readonly page: string;
  readonly line: string;
  readonly exported: ReadonlyMap<string, string>;
}

const shown = pages.flatMap(commandsIn);

function commandsIn(page: string): readonly Shown[] {
  const exported = new Map<string, string>();
  const found: Shown[] = [];
  for (const [, block = ""] of readPage(page).matchAll(/^```sh\n([\s\S]*?)^```$/gm)) {
    for (const line of block.replaceAll("\\\n", " ").split("\n")) {
      const [, name, value = ""] = /^export ([A-Z_]+)=(.*)$/.exec(line) ?? [];
      if (name !== undefined) exported.set(name, value);
      const command = line.replace(/^sudo /, "");
      if (/^([A-Z_]+=\S+ )*(npx )?openclaw-inbox /.test(command))
        found.push({ page, line: command, exported: new Map(exported) });
    }
  }
  return found;
}

describe("a command that a page shows", () => {
  it.each(shown)("exists: $page: $line", async ({ line, exported }) => {
    const [words = ""] = line.split(/ +#/);
    const [, assignments = "", rest = ""] =
      /^((?:[A-Z_]+=\S+ )*)(?:npx )?openclaw-inbox (.*)$/.exec(words.trim()) ?? [];
    const args = rest.replaceAll(/["']/g, "").split(/\s+/);
    // `--help` reads the command line, and checks each option, without running it.
    const streams = keptStreams(false);
    expect(await runCli([...args, "--help"], createTerminal(streams)), streams.written.stderr).toBe(0);

    const given = new Set([...exported.keys(), ...assignments.split(" ").map((one) => one.split("=")[0])]);
    const isGiven = (option: string, variable: string) => args.includes(`--${option}`) || given.has(variable);
    if (args[0] === "dead") expect(isGiven("ledger", "OPENCLAW_INBOX_LEDGER"), "a ledger").toBe(true);
    if (args[0] === "pair") expect(isGiven("device", "OPENCLAW_INBOX_DEVICE"), "a device").toBe(true);
    // npx ends at a stop, and what it started lives on: it is for a look, not for services.
    if (args.includes("--webhook")) expect(line).not.toContain("npx ");
  });

  it("is found at all", () => {
    expect(shown.length).toBeGreaterThan(5);
  });
});

it.each(pages)("names only known variables in %s", async (page) => {
  const known = new Set(["OPENCLAW_INBOX_WEBHOOK_SECRET", "OPENCLAW_INBOX_INSPECT_TOKEN", "OPENCLAW_INBOX_LIVE_DIR"]);
  for (const { load } of commands.values()) {
    const { options } = await load();
    for (const [name, option] of Object.entries(options)) known.add(variableOf(name, option) ?? "");
  }
  for (const [name] of readPage(page).matchAll(/\bOPENCLAW_(GATEWAY|INBOX)_[A-Z_]*[A-Z]\b/g))
    expect(known, name).toContain(name);
});
