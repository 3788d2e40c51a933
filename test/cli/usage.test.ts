import { describe, expect, it, vi } from "vitest";
import { runCli } from "../../src/cli/cli.ts";
import { commands } from "../../src/cli/commands.ts";
import { variableOf } from "../../src/cli/environment.ts";
import { createTerminal } from "../../src/cli/terminal.ts";
import { keptStreams } from "./streams.ts";

async function run(commandLine: string) {
  const streams = keptStreams(false);
  const code = await runCli(commandLine.split(" ").filter(Boolean), createTerminal(streams));
  return { code, ...streams.written };
}

vi.stubEnv("OPENCLAW_GATEWAY_URL", undefined);
vi.stubEnv("OPENCLAW_GATEWAY_TOKEN", undefined);
vi.stubEnv("OPENCLAW_INBOX_WEBHOOK_SECRET", undefined);
vi.stubEnv("LOG_LEVEL", undefined);

describe("a wrong command line", () => {
  it.each([
    ["liste", "There is no command `liste`; did you mean `listen`?"],
    ["LISTEN", "There is no command `LISTEN`; did you mean `listen`?"],
    ["perform", "There is no command `perform`"],
    ["toString", "There is no command `toString`"],
    ["--verbose", "There is no option `--verbose`"],
    ["demo --quick", "Unknown option `--quick`"],
    ["listen --ledgre x", "Unknown option `--ledgre`; did you mean `--ledger`?"],
    ["demo now", "Expected no further argument"],
    [
      "demo --log-level loud",
      "Expected `--log-level` to be one of fatal, error, warn, info, debug, trace, silent, got `loud`",
    ],
    ["listen", "Expected the Gateway's address: --url or OPENCLAW_GATEWAY_URL"],
    ["listen --url", "Option `--url <value>` argument missing"],
    ["listen --url http://x", "Expected `--url` to be a ws:// or wss:// address, got `http://x` (string)"],
    ["listen --url ws://127.0.0.1:9 sesame", "Expected no further argument"],
    ["listen --url ws://127.0.0.1:9 --session mine", "Expected `--session` to be `all` or `collavre`, got `mine`"],
    ["listen --url ws://127.0.0.1:9 --name=", "Expected `--name` to be a string that is not empty, got `` (string)"],
    [
      "listen --url ws://127.0.0.1:9 --webhook http://127.0.0.1:9",
      "Expected the secret of --webhook in OPENCLAW_INBOX_WEBHOOK_SECRET",
    ],
    ["replay", "Expected the FILE to play"],
    ["replay a.ndjson --speed fast", "Expected `--speed` to be a number above 0, got `NaN` (number)"],
    ["replay a.ndjson --speed=", "Expected `--speed` to be a number above 0, got `NaN` (number)"],
    ["record --url ws://127.0.0.1:9", "Expected the FILE to write"],
    ["dead", "Expected list, show, retry or drop"],
    ["dead bury --ledger x", "Expected list, show, retry or drop, got `bury`"],
    ["dead list", "Expected the ledger: --ledger FILE"],
    ["dead lst --ledger x", "Expected list, show, retry or drop, got `lst`; did you mean `list`?"],
    ["dead list --all --ledger x", "Expected --all with retry or drop only"],
    ["dead drop --json --ledger x", "Expected --json with list only"],
    [
      "pair --url ws://127.0.0.1:9",
      "Expected the file for the key of this host: --device FILE or OPENCLAW_INBOX_DEVICE",
    ],
    ["listen --url ws://127.0.0.1:9 --serve 70000", "Expected `--serve` to be PORT or HOST:PORT, got `70000`"],
    ["listen --url ws://127.0.0.1:9 --serve :80", "Expected `--serve` to be PORT or HOST:PORT, got `:80`"],
  ])("`%s` ends with 2 and one line that says where to look", async (commandLine, line) => {
    const { code, stdout, stderr } = await run(commandLine);
    const name = commandLine.split(" ")[0] as string;
    const place = commands.has(name) ? `${name} ` : "";
    expect(stderr).toBe(`openclaw-inbox: ${line}\nTry openclaw-inbox ${place}--help\n`);
    expect(stdout).toBe("");
    expect(code).toBe(2);
  });

  it("never shows a webhook's secret or the path of its url", async () => {
    vi.stubEnv("OPENCLAW_INBOX_WEBHOOK_SECRET", "whsec_sesame");
    const wrongSecret = await run("listen --url ws://127.0.0.1:9 --webhook https://example.com/open-up");
    vi.stubEnv("OPENCLAW_INBOX_WEBHOOK_SECRET", `whsec_${Buffer.alloc(24, 5).toString("base64")}`);
    const wrongUrl = await run("listen --url ws://127.0.0.1:9 --webhook http://example.com/open-up");
    vi.stubEnv("OPENCLAW_INBOX_WEBHOOK_SECRET", undefined);
    expect(wrongSecret.stderr).toContain("Expected `OPENCLAW_INBOX_WEBHOOK_SECRET` to be");
    expect(wrongUrl.stderr).toContain("Expected `--webhook` to be an https: URL");
    expect(wrongSecret.stderr + wrongUrl.stderr).not.toMatch(/sesame|open-up/);
    expect([wrongSecret.code, wrongUrl.code]).toEqual([2, 2]);
  });
});

describe("the environment", () => {
  it.each([...commands.keys()])("has a variable for each option of `%s`", async (name) => {
    const { options = {} } = (await commands.get(name)?.load()) ?? {};
    const oneCall = Object.entries(options).flatMap(([option, { env }]) => (env === false ? [option] : []));
    expect(["all", "force", "json"]).toEqual(expect.arrayContaining(oneCall));
    const variables = Object.entries(options).flatMap(([option, entry]) => variableOf(option, entry) ?? []);
    expect(new Set(variables).size).toBe(Object.keys(options).length - oneCall.length);
    for (const variable of variables) expect(variable).toMatch(/^(OPENCLAW_(GATEWAY|INBOX)_[A-Z_]+|LOG_LEVEL)$/);
  });

  it.each([
    ["OPENCLAW_GATEWAY_URL", "http://x", "listen", "Expected `OPENCLAW_GATEWAY_URL` to be a ws:// or wss:// address"],
    ["OPENCLAW_INBOX_SERVE", "nowhere", "listen --url ws://127.0.0.1:9", "Expected `OPENCLAW_INBOX_SERVE` to be"],
    ["OPENCLAW_INBOX_ALLOW_INSECURE", "maybe", "listen --url ws://h:9", "to be 1 or 0, got `maybe`"],
    ["OPENCLAW_INBOX_SESSION", "mine", "listen --url ws://h:9", "Expected `OPENCLAW_INBOX_SESSION` to be `all`"],
    ["LOG_LEVEL", "loud", "replay x", "Expected `LOG_LEVEL` to be one of fatal"],
  ])("names a wrong variable: %s=%s", async (variable, value, commandLine, words) => {
    vi.stubEnv(variable, value);
    const { code, stderr } = await run(commandLine);
    vi.stubEnv(variable, undefined);
    expect(stderr).toContain(words);
    expect(code).toBe(2);
  });

  it("may come from a file with the line ends of Windows", async () => {
    vi.stubEnv("OPENCLAW_INBOX_ALLOW_INSECURE", "1\r");
    const { stderr } = await run("listen --session mine --url ws://h:9");
    vi.stubEnv("OPENCLAW_INBOX_ALLOW_INSECURE", undefined);
    expect(stderr).toContain("Expected `--session` to be `all` or `collavre`");
  });

  it("is overridden by the command line", async () => {
    vi.stubEnv("OPENCLAW_INBOX_SESSION", "mine");
    const { stderr } = await run("listen --session yours --url ws://127.0.0.1:9");
    vi.stubEnv("OPENCLAW_INBOX_SESSION", undefined);
    expect(stderr).toContain("Expected `--session` to be `all` or `collavre`, got `yours`");
  });

  it("accepts a log level in capitals", async () => {
    vi.stubEnv("LOG_LEVEL", "WARN");
    const { code, stderr } = await run("replay nowhere.ndjson");
    vi.stubEnv("LOG_LEVEL", undefined);
    expect(stderr).toContain("nowhere.ndjson cannot be read");
    expect(code).toBe(1);
  });
});

describe("the help", () => {
  it("is printed to stderr with exit code 2 unless it was asked for", async () => {
    const nothing = await run("");
    const help = await run("--help");
    expect(nothing).toEqual({ code: 2, stdout: "", stderr: help.stdout });
    expect(help).toMatchObject({ code: 0, stderr: "" });
    for (const [name, { summary }] of commands) {
      expect(help.stdout).toMatch(new RegExp(`^ {2}${name} +${summary}$`, "m"));
    }
  });

  it.each([...commands.keys()])("of `%s` has its form, every option and the exit codes", async (name) => {
    const { code, stdout, stderr } = await run(`${name} --help`);
    const options = Object.entries((await commands.get(name)?.load())?.options ?? {});
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(new RegExp(`^Usage: openclaw-inbox ${name} `));
    expect(options.length).toBeGreaterThan(0);
    for (const [option, { type, value = "" }] of options) {
      expect(stdout).toContain(`\n  --${option}${type === "string" ? ` ${value}` : ""} `);
      expect(value !== "", option).toBe(type === "string");
    }
    expect(stdout).toContain(
      "Exit codes: 0 success, 1 failure, 2 the command line is wrong, 3 the Gateway refuses us until a",
    );
    for (const line of stdout.split("\n")) expect(line.length, line).toBeLessThanOrEqual(100);
  });
});

it("prints its version", async () => {
  const { code, stdout } = await run("--version");
  expect(stdout).toMatch(/^\d+\.\d+\.\d+.*\n$/);
  expect(code).toBe(0);
});
