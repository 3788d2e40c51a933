import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterAll, describe, expect, it, onTestFinished } from "vitest";
import { listening } from "./helpers/listening.ts";
import { startRedis } from "./helpers/redis.ts";

const folder = new URL("../examples/", import.meta.url);
const files = readdirSync(folder).filter((file) => file.endsWith(".ts"));
const redis = await startRedis("test/examples.test.ts (TWO HOSTS ON ONE QUEUE)");
afterAll(() => redis?.stop());

interface Running {
  /** What it has printed so far, in whole lines. */
  lines(): readonly string[];
  /** Resolves with the first line that holds `words`. */
  printed(words: string): Promise<string>;
  interrupt(): void;
  /** Resolves with all it printed once it has ended, and all its children with it; it must end well. */
  readonly output: Promise<readonly string[]>;
}

/** Runs an example as its reader does, with nothing of ours in its environment but `env`. */
function start(file: string, env: Readonly<Record<string, string>> = {}): Running {
  const child = spawn(process.execPath, ["--import", "tsx", fileURLToPath(new URL(file, folder))], {
    env: { PATH: process.env["PATH"], ...env },
    cwd: new URL("..", folder),
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (piece) => {
    stdout += piece;
    child.emit("printed");
  });
  child.stderr.setEncoding("utf8").on("data", (piece) => (stderr += piece));
  const lines = () => stdout.trimEnd().split("\n");
  const closed = once(child, "close");
  const output = closed.then(([code, signal]) => {
    expect({ code, signal, stderr }).toEqual({ code: 0, signal: null, stderr: "" });
    return lines();
  });
  onTestFinished(async () => {
    // The group: an example may have started processes of its own.
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, "SIGKILL");
    await closed;
  });
  return {
    lines,
    output,
    interrupt: () => child.kill("SIGINT"),
    async printed(words) {
      for (;;) {
        const line = lines().find((one) => one.includes(words));
        if (line !== undefined) return line;
        await Promise.race([
          once(child, "printed"),
          output.then(() => expect.unreachable(`It ended without ${words}`)),
        ]);
      }
    },
  };
}

/** Ids are new each time. */
const withoutIds = (lines: readonly string[]) => lines.map((line) => line.replace(/msg_[\w-]{4}/, "msg_…"));

describe("the examples", () => {
  it("are short and each listed and tested", () => {
    const readme = readFileSync(new URL("README.md", folder), "utf8");
    const tests = readFileSync(new URL(import.meta.url), "utf8");
    expect(files.length).toBeGreaterThan(0);
    for (const file of files) {
      expect(readme, file).toContain(`(${file})`);
      expect(tests, file).toContain(`start("${file}"`);
      const program = readFileSync(new URL(file, folder), "utf8");
      expect(program.split("\n").length - 1, file).toBeLessThan(40);
      expect(program, file).toMatch(/^\/\/ .+\n(\/\/ .+\n)*\/\/ Watch for: /);
    }
  });

  it("print messages", async () => {
    expect(await start("01-print.ts").output).toEqual([
      "cron, agent:main:team: Standup is in ten minutes.",
      "heartbeat, agent:main:team: The build is red since noon.",
      "injected, agent:main:team: Eve joined the team.",
      "3 delivered, 1 left out",
    ]);
  });

  it("survive a kill", async () => {
    const lines = await start("02-durable.ts").output;
    expect(withoutIds(lines)).toEqual([
      "first host: The report is ready. (msg_…)",
      "second host: The report is ready. (msg_…)",
      "second host: Lunch is here. (msg_…, caught up on)",
    ]);
    expect(lines[1]?.replace("second", "first")).toBe(lines[0]);
  });

  it("write comments", async () => {
    expect(await start("03-fastify.ts").output).toEqual([
      'GET /health: {"links":["live"]}',
      'GET /creatives/100/comments: [{"type":"proactive","content":"The draft is due tomorrow.","creative_id":100,"user_id":42,"context":{"creative_id":100,"thread_id":7}}]',
    ]);
  });

  it.skipIf(redis === undefined)("share a queue", async () => {
    const lines = await start("04-bullmq.ts", { REDIS_URL: redis?.url ?? "" }).output;
    expect(lines.slice(0, 3).sort()).toEqual([
      'A worker posts "One."',
      'A worker posts "Three."',
      'A worker posts "Two."',
    ]);
    expect(lines.slice(3)).toEqual(["Host a delivered 3", "Host b delivered 3", "Jobs in Redis: 3"]);
  });

  it("post webhooks", async () => {
    const lines = await start("05-sidecar.ts").output;
    expect(withoutIds(lines)).toEqual([
      "refused msg_…: The report is ready.",
      "took msg_…: The report is ready.",
      "the sidecar ended with 0",
    ]);
    expect(lines[1]?.replace("took", "refused")).toBe(lines[0]);
  });

  it("share a socket", async () => {
    expect(await start("06-own-socket.ts").output).toEqual([
      "over Ada's socket: You have a visitor.",
      "the socket is still open",
    ]);
  });

  it("test against the machines", async () => {
    const lines = await start("07-model-test.ts").output;
    const walked = lines.filter((line) => line.startsWith("  xstate.init"));
    expect(lines.filter((line) => !walked.includes(line))).toEqual([
      "xstate/graph: 8 paths hold",
      "@xstate/test: 8 paths hold",
    ]);
    expect(walked.filter((line) => line.endsWith(" xstate.after.ttl.run.buffering"))).toHaveLength(4);
  });

  it("start with Express while the Gateway is silent", async () => {
    expect(await start("09-express.ts").output).toEqual([
      "GET /ready: 503",
      "GET /ready: 200",
      "handler: The build is green.",
    ]);
  });

  it.each(["03-fastify.ts", "10-nestjs.ts"])("boot while the Gateway is silent: %s", async (file) => {
    const silent = createServer();
    const url = `ws://127.0.0.1:${await listening(silent)}`;
    const booted = "console.log(inbox.links()[0]?.state); await app.close(); await gateway.close();";
    const program = readFileSync(new URL(file, folder), "utf8")
      .replace("url: gateway.url", `url: "${url}"`)
      // What the example does with its messages.
      .replace(/\n(const delivered|gateway\.say)[\s\S]*/, `\n${booted}\n`);
    expect(program).toContain(url);
    expect(program).toContain(booted);
    // In the repository, because it imports packages.
    const copies = mkdtempSync(fileURLToPath(new URL("boot-", import.meta.url)));
    onTestFinished(() => rmSync(copies, { recursive: true }));
    writeFileSync(join(copies, file), program);
    const [state, ...rest] = await start(pathToFileURL(join(copies, file)).href).output;
    expect(["connecting", "offline"]).toContain(state);
    expect(rest).toEqual(file === "10-nestjs.ts" ? ["inbox stopped"] : []);
  });

  it("start and stop with a NestJS app", async () => {
    expect(await start("10-nestjs.ts").output).toEqual(["handler: Standup is in ten minutes.", "inbox stopped"]);
  });

  it("show their actors", async () => {
    const example = start("08-stately.ts");
    const [, url = ""] = /Open (\S+)/.exec(await example.printed("Open http")) ?? [];
    expect((await fetch(url)).status).toBe(200);
    await example.printed("was delivered");
    example.interrupt();
    const lines = await example.output;
    const shown = lines.filter((line) => line.endsWith("was delivered")).length;
    expect(lines.at(-1)).toBe(`${shown} runs were shown`);
  });
});
