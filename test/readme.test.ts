import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { createFakeGateway } from "../src/testing/index.ts";
import { useTemporaryFolder } from "./helpers/temporary-folder.ts";

const inFolder = useTemporaryFolder();
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

  it("has a recipe that survives a crash", async () => {
    const [, recipe = ""] = /\*\*Survive a crash\*\*[\s\S]*?```ts\n([\s\S]*?)```/.exec(readme) ?? [];
    const gateway = await createFakeGateway();
    const live = async (deliver: string) => {
      const program = `
        import { createInbox } from ${src("src/index.ts")};
        const gateway = ${JSON.stringify({ url: gateway.url, token: gateway.token })};
        const deliver = ${deliver};
        ${recipe}
        console.log("started");
      `;
      const args = ["--import", import.meta.resolve("tsx"), "--input-type=module", "--eval", program];
      const child = spawn(process.execPath, args, { cwd: inFolder("."), stdio: ["ignore", "pipe", "inherit"] });
      const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
      return { ended: once(child, "exit"), child, next: async () => (await lines.next()).value };
    };
    const first = await live(`() => process.kill(process.pid, "SIGKILL")`);
    expect(await first.next()).toBe("started");
    gateway.say("Standup is in ten minutes.", { sessionKey: "agent:main:team", origin: "cron" });
    expect(await first.ended).toEqual([null, "SIGKILL"]);
    const second = await live("({ text }) => console.log(text)");
    expect([await second.next(), await second.next()].sort()).toEqual(["Standup is in ten minutes.", "started"]);
    second.child.kill("SIGTERM");
    expect(await second.ended).toEqual([0, null]);
    await gateway.close();
  });

  it("links to existing files", () => {
    for (const [, path = ""] of readme.matchAll(/\]\((?!https?:)([^)#]+)/g)) readFileSync(new URL(path, root));
  });
});
