import { readFileSync, statSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { recordingPath } from "../../src/testing/recordings.ts";
import { temporaryFile } from "../helpers/temporary-folder.ts";
import { fakeGateway } from "../testing/helpers.ts";
import { runCli } from "./run-cli.ts";

describe("replay", () => {
  it("prints each run's outcome and the counters last", async () => {
    const cli = runCli(["replay", recordingPath("j6-subagent")]);
    expect(await cli.ended).toEqual({ code: 0, signal: null });
    const lines = cli.stdout.trimEnd().split("\n");
    expect(lines).toContain("  Report from the helper session.");
    expect(lines.filter((line) => line.endsWith("discarded: subagent"))).toHaveLength(1);
    expect(lines.at(-1)).toBe("delivered=2 discarded=1 errored=0 aborted=0 expired=0 duplicates=0 rejected=0");
    expect(cli.stdout).not.toContain("\u001b");
  });

  it("keeps stdout to JSON with --json", async () => {
    const cli = runCli(["replay", recordingPath("k2-ten-at-once"), "--json", "--speed", "20"]);
    expect(await cli.ended).toEqual({ code: 0, signal: null });
    const messages = cli.stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(messages).toHaveLength(10);
    expect(cli.stderr.trimEnd().split("\n").at(-1)).toMatch(/^delivered=10 discarded=0 /);
  });

  it("counts lines that are no frames and goes on", async () => {
    const file = temporaryFile("damaged.ndjson");
    writeFileSync(file, `not JSON\n${readFileSync(recordingPath("c3-agent-rpc"), "utf8")}`);
    const cli = runCli(["replay", file]);
    expect((await cli.ended).code).toBe(0);
    expect(cli.stdout.trimEnd().split("\n").at(-1)).toMatch(/^delivered=1 .* rejected=1$/);
  });

  it("fails with the name of a missing file", async () => {
    const cli = runCli(["replay", "nowhere.ndjson"]);
    expect(await cli.ended).toEqual({ code: 1, signal: null });
    expect(cli.stderr).toContain("openclaw-inbox: The recording nowhere.ndjson cannot be read");
    expect(cli.stdout).toBe("");
  });

  it.each([
    ["package.json", 'package.json cannot be read: its first 100 lines hold no frame; a recording has one {"t"'],
    [".", ". cannot be read: EISDIR"],
    ["/dev/null", "/dev/null is empty"],
  ])("fails in one line for %s", async (file, words) => {
    const cli = runCli(["replay", file]);
    expect(await cli.ended).toEqual({ code: 1, signal: null });
    expect(cli.stderr).toContain(`openclaw-inbox: The recording ${words}`);
    expect(
      cli.stderr
        .trimEnd()
        .split("\n")
        .filter((line) => line.startsWith("openclaw-inbox:")),
    ).toHaveLength(1);
    expect(cli.stderr).not.toContain("unreadable frame");
    expect(cli.stdout).toBe("");
  });
});

describe("record", () => {
  it("writes a file that replay makes the same messages of", async () => {
    const gateway = await fakeGateway();
    const file = temporaryFile("recorded.ndjson");
    const recorder = runCli(["record", file, "--url", gateway.url], { OPENCLAW_GATEWAY_TOKEN: gateway.token });
    await gateway.nextConnection();
    const sessionKey = "agent:main:collavre:42:creative:100";
    const runIds = ["One", "Two\nlines", "Three 🦞"].map((text) => gateway.say(text, { sessionKey }));
    // What was sent before the end of the connection has been heard by then.
    gateway.drop(1012, "service restart");
    await recorder.written("link lost");
    recorder.child.kill("SIGINT");
    expect(await recorder.ended).toEqual({ code: 0, signal: null });
    expect(recorder.stderr).toMatch(/\d+ frames written to .*recorded\.ndjson\n$/);
    expect(recorder.stdout).toBe("");
    expect(readFileSync(file, "utf8")).not.toContain(gateway.token);
    expect(statSync(file).mode & 0o777).toBe(0o600);

    const player = runCli(["replay", file, "--json"]);
    expect(await player.ended).toEqual({ code: 0, signal: null });
    const messages = player.stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(messages.map(({ runId, text }) => [runId, text])).toEqual([
      [runIds[0], "One"],
      [runIds[1], "Two\nlines"],
      [runIds[2], "Three 🦞"],
    ]);
  });

  it("records heartbeats and jobs of the main session", async () => {
    const gateway = await fakeGateway();
    const file = temporaryFile("hidden.ndjson");
    const recorder = runCli(["record", file, "--url", gateway.url], { OPENCLAW_GATEWAY_TOKEN: gateway.token });
    gateway.say("Earlier", { sessionKey: "agent:main:main" });
    await gateway.nextConnection();
    await gateway.nextRequest("sessions.messages.subscribe");
    gateway.say("From a heartbeat", { sessionKey: "agent:main:main", origin: "heartbeat" });
    gateway.say("From a job", { sessionKey: "agent:main:main", origin: "cron" });
    await gateway.flushed();
    gateway.drop(1012, "service restart");
    await recorder.written("link lost");
    recorder.child.kill("SIGINT");
    expect(await recorder.ended).toEqual({ code: 0, signal: null });
    const chats = readFileSync(file, "utf8")
      .split("\n")
      .filter((line) => line.includes('"event":"chat"'));
    expect(chats.some((line) => line.includes("From a heartbeat"))).toBe(true);
    expect(chats.some((line) => line.includes("From a job"))).toBe(true);
  });

  it("replaces an existing file only with --force", async () => {
    const gateway = await fakeGateway();
    const file = temporaryFile("there.ndjson");
    writeFileSync(file, "precious\n");
    const env = { OPENCLAW_GATEWAY_URL: gateway.url, OPENCLAW_GATEWAY_TOKEN: gateway.token };
    const careful = runCli(["record", file], env);
    expect(await careful.ended).toEqual({ code: 1, signal: null });
    expect(careful.stderr).toBe(`openclaw-inbox: There is a file ${file} already; --force replaces it\n`);
    expect(readFileSync(file, "utf8")).toBe("precious\n");

    const forced = runCli(["record", file, "--force"], env);
    await gateway.nextConnection();
    await forced.written("link hello");
    forced.child.kill("SIGTERM");
    expect(await forced.ended).toEqual({ code: 0, signal: null });
    expect(readFileSync(file, "utf8")).toMatch(/^\{"t":/);
  });

  it("ends with 3 for a wrong token and touches no file", async () => {
    const gateway = await fakeGateway();
    const file = temporaryFile("kept.ndjson");
    writeFileSync(file, "precious\n");
    const cli = runCli(["record", file, "--force", "--url", gateway.url], { OPENCLAW_GATEWAY_TOKEN: "sesame-open-up" });
    expect(await cli.ended).toEqual({ code: 3, signal: null });
    expect(cli.stderr).toContain("openclaw-inbox: The Gateway refused the token.");
    expect(cli.stderr).not.toContain("sesame");
    expect(readFileSync(file, "utf8")).toBe("precious\n");
  });
});
