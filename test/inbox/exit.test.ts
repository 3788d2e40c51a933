import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const src = (file: string) => JSON.stringify(fileURLToPath(new URL(`../../src/${file}`, import.meta.url)));

/** Runs a program of its own in a process of its own; what it prints, once it has ended by itself. */
async function run(program: string): Promise<string> {
  const code = `import { createInbox } from ${src("index.ts")};\nimport { createFakeGateway } from ${src("testing/index.ts")};\n${program}`;
  const child = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "--eval", code], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.on("data", (chunk) => (output += chunk));
  const [exitCode] = await once(child, "close");
  expect(exitCode).toBe(0);
  return output;
}

const many = `for (let i = 0; i < 10_000; i++) inbox.handle({ runId: "r" + i, sessionKey: "k", seq: 1, state: "delta", deltaText: "Hi" });`;

describe("a process", () => {
  it("ends while 10,000 runs are buffering", async () => {
    expect(
      await run(`const inbox = createInbox(); await inbox.start(); ${many} console.log(inbox.stats().liveRuns);`),
    ).toBe("10000\n");
  });

  it("ends when its inbox is stopped with 10,000 runs and a Gateway", async () => {
    const program = `
      const gateway = await createFakeGateway();
      const inbox = createInbox({ gateway: { url: gateway.url, token: gateway.token } });
      await inbox.start();
      ${many}
      await inbox.stop();
      await gateway.close();
      console.log(inbox.stats().unfinished, inbox.links()[0].state);`;
    expect(await run(program)).toBe("10000 offline\n");
  });

  it("does not end while a delivery waits for its next attempt", async () => {
    const program = `
      const inbox = createInbox({ retry: { firstDelayMs: 50 }, random: () => 0.99, deliver(message, { attempt }) {
        if (attempt < 3) throw new Error("not yet");
        console.log(message.text, attempt);
      } });
      inbox.handle({ runId: "r", sessionKey: "k", seq: 1, state: "final", message: { content: "Hello" } });`;
    expect(await run(program)).toBe("Hello 3\n");
  });
});
