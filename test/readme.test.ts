import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = new URL("../", import.meta.url);
const readme = readFileSync(new URL("README.md", root), "utf8");
const src = (path: string) => JSON.stringify(fileURLToPath(new URL(path, root)));

describe("the README", () => {
  it("begins with a program that prints what it says", async () => {
    const [, program = ""] = /```ts\n([\s\S]*?)```/.exec(readme) ?? [];
    const promised = [...program.matchAll(/\/\/=> (.*)/g)].map(([, line]) => line);
    expect(promised.length).toBeGreaterThan(0);
    const runnable = program
      .replace('"openclaw-inbox"', src("src/index.ts"))
      .replace('"openclaw-inbox/testing"', src("src/testing/index.ts"));
    const end = `\nawait gateway.flushed(); while (inbox.stats().delivered < ${promised.length}) await new Promise(setImmediate);`;
    const child = spawn(
      process.execPath,
      [
        "--import",
        "tsx",
        "--input-type=module",
        "--eval",
        `${runnable}${end}\nawait inbox.stop(); await gateway.close();`,
      ],
      {
        stdio: ["ignore", "pipe", "inherit"],
      },
    );
    let output = "";
    child.stdout.on("data", (chunk) => (output += chunk));
    await once(child, "close");
    expect(output.trim().split("\n")).toEqual(promised);
  });

  it("links to existing files", () => {
    for (const [, path = ""] of readme.matchAll(/\]\((?!https?:)([^)#]+)/g)) readFileSync(new URL(path, root));
  });
});
