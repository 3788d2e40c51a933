import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { webhook } from "../../src/delivery/webhook/webhook.ts";
import { createTestClock } from "../../src/testing/clock.ts";
import { freePort } from "../helpers/free-port.ts";
import { messageOf } from "../helpers/message.ts";
import { turn } from "../helpers/turns.ts";

const here = (file: string) => fileURLToPath(new URL(file, import.meta.url));
const page = readFileSync(here("../../docs/sidecar.md"), "utf8");

const OLD = `whsec_${Buffer.alloc(32, 1).toString("base64")}`;
const NEW = `whsec_${Buffer.alloc(32, 2).toString("base64")}`;
const STRANGER = `whsec_${Buffer.alloc(32, 3).toString("base64")}`;

/** The page's blocks of a language, in order. */
function blocks(language: string): string[] {
  return [...page.matchAll(/```(\w+)\n([\s\S]*?)```/g)]
    .filter(([, name]) => name === language)
    .map(([, , code]) => code as string);
}

interface Receiver {
  readonly language: string;
  /** A command that ends with 0 when the language is installed. */
  readonly probe: readonly [string, ...string[]];
  /** Puts the page's code into the folder; what to run there. */
  prepare(folder: string): readonly [string, ...string[]];
}

const receivers: readonly Receiver[] = [
  {
    language: "ruby",
    probe: ["ruby", "--version"],
    prepare(folder) {
      const code = blocks("ruby").filter((block) => !block.includes("ActiveRecord::Migration"));
      writeFileSync(join(folder, "app.rb"), code.filter((block) => !block.startsWith("# config/routes")).join("\n"));
      return ["ruby", here("rails.rb"), join(folder, "app.rb")];
    },
  },
  {
    language: "python",
    probe: ["python3", "--version"],
    prepare(folder) {
      writeFileSync(join(folder, "main.py"), blocks("python").join("\n"));
      return ["python3", here("fastapi_like.py")];
    },
  },
  {
    language: "express",
    probe: [process.execPath, "--version"],
    prepare(folder) {
      const modules = join(folder, "node_modules");
      mkdirSync(join(modules, "express"), { recursive: true });
      writeFileSync(join(modules, "express", "index.js"), readFileSync(here("express.cjs")));
      symlinkSync(here("../../node_modules/standardwebhooks"), join(modules, "standardwebhooks"));
      writeFileSync(join(folder, "server.mjs"), blocks("js").find((block) => block.includes("express")) ?? "");
      return [process.execPath, "server.mjs"];
    },
  },
  {
    language: "go",
    probe: ["go", "version"],
    prepare(folder) {
      writeFileSync(join(folder, "main.go"), blocks("go").join("\n"));
      execFileSync("go", ["build", "-o", "receiver", "main.go"], { cwd: folder, stdio: "inherit" });
      return [join(folder, "receiver")];
    },
  },
];

function isInstalled([command, ...options]: Receiver["probe"]): boolean {
  try {
    execFileSync(command, options, { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** Tries to connect until somebody listens. */
async function listening(port: number, child: ChildProcess): Promise<void> {
  while (child.exitCode === null) {
    const answered = await fetch(`http://127.0.0.1:${port}/`).then(
      () => true,
      () => false,
    );
    if (answered) return;
    await turn();
  }
  throw new Error("The receiver has ended");
}

describe.each(receivers)("the page's receiver in $language", (receiver) => {
  const isHere = isInstalled(receiver.probe);
  if (!isHere) {
    console.error(
      `\n!!! SKIPPED: THE RECEIVER OF docs/sidecar.md IN ${receiver.language.toUpperCase()} IS NOT TESTED. INSTALL IT. !!!\n`,
    );
  }
  let folder = "";
  let child: ChildProcess | undefined;
  let url = "";
  const taken: string[] = [];

  beforeAll(async () => {
    if (!isHere) return;
    folder = mkdtempSync(join(tmpdir(), "inbox-receiver-"));
    const [command, ...options] = receiver.prepare(folder);
    const port = await freePort();
    const env = { ...process.env, PORT: `${port}`, OPENCLAW_INBOX_WEBHOOK_SECRET: `${NEW} ${OLD}` };
    child = spawn(command, options, { cwd: folder, env, stdio: ["ignore", "pipe", "inherit"] });
    createInterface(child.stdout as NodeJS.ReadableStream).on("line", (line) => {
      if (line.startsWith("taken ")) taken.push(JSON.parse(line.slice("taken ".length)) as string);
    });
    await listening(port, child);
    url = `http://127.0.0.1:${port}/openclaw/messages`;
  }, 180_000);

  afterAll(async () => {
    if (child !== undefined && child.exitCode === null) {
      child.kill("SIGKILL");
      await once(child, "exit");
    }
    if (folder !== "") rmSync(folder, { recursive: true, force: true });
  });

  const context = { attempt: 1, signal: new AbortController().signal };
  const post = async (id: string, text: string, options: object = {}) =>
    webhook({ url, secret: NEW, ...options })(messageOf(id, { text }), context);
  const said = async (text: string) => {
    while (taken.at(-1) !== text) await turn();
  };

  it.runIf(isHere)("takes a message once under either secret", async () => {
    await post("one", "The report is ready: 買い物 🛒\n\u0001");
    await said("The report is ready: 買い物 🛒\n\u0001");
    await post("one", "again");
    await post("two", "by the old secret", { secret: OLD });
    await said("by the old secret");
    await post("three", "by both", { secret: [STRANGER, OLD] });
    await said("by both");
    expect(taken).toHaveLength(3);
  });

  it.runIf(isHere)("takes half a character, NUL and half a million characters", async () => {
    await post("four", `\ud800\0${"ü".repeat(500_000)}`);
    await said(`\ufffd${"ü".repeat(500_000)}`);
  });

  it.runIf(isHere)("refuses a stranger's signature and an old one", async () => {
    const before = taken.length;
    await expect(post("five", "no", { secret: STRANGER })).rejects.toThrow("answered 401");
    await expect(post("five", "no", { clock: createTestClock(Date.now() - 301_000) })).rejects.toThrow("answered 401");
    await post("five", "yes");
    await said("yes");
    expect(taken).toHaveLength(before + 1);
  });
});
