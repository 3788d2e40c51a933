import { writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { readConfig } from "../../src/cli/config.ts";
import type { ProactiveMessage } from "../../src/types.ts";
import { useTemporaryFolder } from "../helpers/temporary-folder.ts";
import { fakeGateway } from "../testing/helpers.ts";
import { runCli } from "./run-cli.ts";

const inFolder = useTemporaryFolder();

function write(config: unknown): string {
  const file = inFolder("inbox.json");
  writeFileSync(file, typeof config === "string" ? config : JSON.stringify(config));
  return file;
}

const message = (fields: Partial<ProactiveMessage>) => fields as ProactiveMessage;

describe("a configuration", () => {
  it.each([
    ["{", "Expected the configuration to be JSON"],
    ["[]", "Expected the configuration to be an object"],
    [{ ledgr: "x" }, "There is no `ledgr`; did you mean `ledger`?"],
    [{ __proto__: null, constructor: 1 }, "There is no `constructor`; there are gateway, session, accept"],
    [{ gateway: [{ url: "ws://a", tokn: "sesame" }] }, "There is no `gateway[0].tokn`; did you mean `token`?"],
    [{ gateway: { url: "ws://a", tokenFile: "missing" } }, "`gateway.tokenFile` cannot be read: ENOENT"],
    [{ gateway: 7 }, "Expected `gateway` to be an object"],
    [{ accept: { origin: "sesame" } }, "Expected `accept.origin` to be of cron, heartbeat"],
    [{ accept: { agent: [] } }, "Expected `accept.agent` to be a text, or an array of at least one"],
    [{ accept: { sessionPrefix: [""] } }, "Expected `accept.sessionPrefix` to be a text that is not empty"],
    [{ webhook: { url: "http://h", secret: "sesame" } }, "There is no `webhook.secret`"],
    [{ ledger: 7 }, "Expected `ledger` to be a text that is not empty"],
  ])("is refused with the path of what is wrong: %j", (config, words) => {
    const file = write(config);
    expect(() => readConfig(file)).toThrow(words);
    expect(() => readConfig(file)).toThrow(`, in ${file}`);
    expect(() => readConfig(file)).not.toThrow('sesame"');
  });

  it("reads secrets from files and paths from its own folder", () => {
    writeFileSync(inFolder("token"), "a-token\n");
    writeFileSync(inFolder("secret"), "whsec_a whsec_b\n");
    const config = readConfig(
      write({
        gateway: { url: "ws://a", tokenFile: "token", device: "keys/device.json" },
        ledger: "inbox.db",
        webhook: { url: "https://h/", secretFile: "secret" },
        retry: { maxAttempts: "Infinity" },
        maxRuns: 7,
      }),
    );
    expect(config).toMatchObject({
      gateways: [{ url: "ws://a", token: "a-token", device: { deviceId: expect.any(String) } }],
      ledger: inFolder("inbox.db"),
      webhook: { url: "https://h/", secrets: ["whsec_a", "whsec_b"] },
      inbox: { retry: { maxAttempts: Number.POSITIVE_INFINITY }, maxRuns: 7 },
    });
  });

  it("hands over what matches each filter", () => {
    const { accept } = readConfig(
      write({ accept: { origin: ["cron", "heartbeat"], agent: "main", sessionPrefix: "agent:main:collavre:" } }),
    );
    const fits = { origin: "cron", sessionKey: "agent:main:collavre:1" } as const;
    expect(accept?.(message(fits))).toBe(true);
    expect(accept?.(message({ ...fits, origin: "requested" }))).toBe(false);
    expect(accept?.(message({ ...fits, sessionKey: "agent:other:collavre:1" }))).toBe(false);
    expect(accept?.(message({ ...fits, sessionKey: "agent:main:main" }))).toBe(false);
  });

  it("is read with a byte order mark", () => {
    expect(readConfig(write(`\ufeff${JSON.stringify({ serve: "9" })}`))).toMatchObject({ serve: "9" });
  });
});

describe("listen --config", () => {
  it("listens to several Gateways with filters and limits", async () => {
    const [home, work] = [await fakeGateway(), await fakeGateway()];
    const file = write({
      gateway: [
        { name: "home", url: home.url, token: home.token },
        { name: "work", url: work.url, token: work.token, owner: "me" },
      ],
      accept: { sessionPrefix: "agent:main:team" },
      retry: { maxAttempts: 3 },
    });
    const cli = runCli(["listen", "--config", file, "--json"]);
    await Promise.all([home.nextConnection(), work.nextConnection()]);
    home.say("Not wanted", { sessionKey: "agent:main:elsewhere" });
    home.say("From home", { sessionKey: "agent:main:team" });
    work.say("From work", { sessionKey: "agent:main:team:2" });
    await cli.written("From home");
    await cli.written("From work");
    cli.child.kill("SIGTERM");
    expect(await cli.ended).toEqual({ code: 0, signal: null });
    const messages = cli.stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as ProactiveMessage);
    expect(messages.map(({ gateway, owner, text }) => [gateway, owner, text]).sort()).toEqual([
      ["home", undefined, "From home"],
      ["work", "me", "From work"],
    ]);
  });

  it("takes the token of its only Gateway from the environment", async () => {
    const gateway = await fakeGateway();
    const file = write({ gateway: { url: gateway.url } });
    const cli = runCli(["listen"], {
      OPENCLAW_INBOX_CONFIG: file,
      OPENCLAW_GATEWAY_TOKEN: gateway.token,
      OPENCLAW_INBOX_JSON: "1",
    });
    await gateway.nextConnection();
    gateway.say("Heard", { sessionKey: "agent:main:team" });
    await cli.written('"text":"Heard"');
    cli.child.kill("SIGTERM");
    expect(await cli.ended).toEqual({ code: 0, signal: null });
  });

  it.each([
    [{ retry: { maxAttempts: 0 } }, "Expected `retry.maxAttempts` to be an integer >= 1"],
    [{ maxRuns: "7" }, "Expected `maxRuns` to be an integer >= 1"],
    [{ logLevel: "loud" }, "Expected `logLevel` to be one of fatal"],
    [{ session: "mine" }, "Expected `session` to be `all` or `collavre`"],
    [
      { gateway: { url: "ws://127.0.0.1:1" } },
      "Expected the Gateway either by --url or in the configuration, got both",
    ],
  ])("ends with 2 for an option that is refused: %j", async (config, words) => {
    const cli = runCli(["listen", "--url", "ws://127.0.0.1:9", "--config", write(config)]);
    expect(await cli.ended).toEqual({ code: 2, signal: null });
    expect(cli.stderr).toContain(words);
  });
});
