import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished } from "vitest";
import { useTemporaryFolder } from "../helpers/temporary-folder.ts";
import { fakeGateway } from "../testing/helpers.ts";
import { readPage } from "./page.ts";

const inFolder = useTemporaryFolder();
const main = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
const [, block = ""] = /```sh\n([\s\S]*?)```/.exec(readPage("docs/guides/connect.md")) ?? [];
const commands = block.split("\n").filter((line) => line.trim() !== "" && !line.startsWith("#"));

/** Puts a program into the folder of this test. */
function program(name: string, script: string): void {
  writeFileSync(inFolder(name), `#!/bin/sh\n${script}\n`);
  chmodSync(inFolder(name), 0o755);
}

describe("the way to the first message", () => {
  it("has at most three commands and begins with the installation", () => {
    expect(commands.length).toBeGreaterThan(0);
    expect(commands.length).toBeLessThanOrEqual(3);
    const { name, bin } = JSON.parse(readPage("package.json")) as { name: string; bin: Record<string, string> };
    expect(commands[0]).toBe(`npm install --global ${name}`);
    expect(Object.keys(bin)).toContain(commands.at(-1)?.split(" ")[0]);
  });

  it("prints what an agent says", async () => {
    const gateway = await fakeGateway();
    program("npm", `echo "$@" >> "${inFolder("npm.log")}"`);
    program("openclaw-inbox", `exec "${process.execPath}" --import "${import.meta.resolve("tsx")}" "${main}" "$@"`);
    // Only what differs on each machine is put in: the token and the address.
    const script = block.replace("TOKEN=...", `TOKEN=${gateway.token}`).replace("ws://127.0.0.1:18789", gateway.url);
    expect(script).toContain(gateway.token);
    expect(script).toContain(gateway.url);
    const { next, ended } = shell(script.replace(/^(openclaw-inbox .*)$/m, "exec $1"));
    await next("Listening to");
    gateway.say("Standup is in ten minutes.", { sessionKey: "agent:main:team", origin: "cron" });
    expect(await next("ten minutes.\n")).toContain("agent:main:team  cron\n  Standup is in ten minutes.");
    expect(readFileSync(inFolder("npm.log"), "utf8")).toBe("install --global openclaw-inbox\n");
    expect(await ended()).toEqual([0, null]);
  });
});

/** Runs lines in a shell that finds the programs of this test first. */
function shell(script: string) {
  const env = { PATH: `${inFolder(".")}${delimiter}${process.env["PATH"]}`, NO_COLOR: "1" };
  const child: ChildProcess = spawn("sh", ["-c", script], { env, stdio: ["ignore", "pipe", "pipe"] });
  const exit = once(child, "exit");
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await exit;
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (piece: string) => {
      output += piece;
      child.emit("output");
    });
  }
  return {
    async next(words: string) {
      while (!output.includes(words)) await once(child, "output");
      return output;
    },
    ended: () => {
      child.kill("SIGTERM");
      return exit;
    },
  };
}
