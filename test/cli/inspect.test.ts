import { describe, expect, it } from "vitest";
import { ask, openEventStream } from "../helpers/http.ts";
import { fakeGateway } from "../testing/helpers.ts";
import { runCli } from "./run-cli.ts";

const addressIn = (text: string) => /http:\/\/127\.0\.0\.1:\d+\/[\w-]+\//.exec(text)?.[0] ?? "";

describe("--inspect", () => {
  it("starts the page first and stays until Ctrl-C", async () => {
    const cli = runCli(["demo", "--inspect"]);
    await cli.written("The demo begins when");
    expect(cli.stdout).toBe("");
    const page = await openEventStream(`${addressIn(cli.stderr)}updates`);
    await cli.written("A cron job in a session of its own");
    let update: { live?: { total: number } } = {};
    while ((update.live?.total ?? 0) === 0) update = (await page.next()) as typeof update;
    page.close();
    cli.child.kill("SIGINT");
    await cli.ended;
  });

  it("shows what a listener hears on the given port", async () => {
    const gateway = await fakeGateway();
    const environment = {
      OPENCLAW_GATEWAY_TOKEN: gateway.token,
      OPENCLAW_INBOX_INSPECT_TOKEN: "a-token-that-stays",
    };
    const cli = runCli(
      ["listen", "--url", gateway.url, "--inspect", "0", "--show-text", "--allow-actions"],
      environment,
    );
    await gateway.nextConnection();
    await cli.written("Inspector: ");
    const address = addressIn(cli.stderr);
    expect(new URL(address).pathname).toBe("/a-token-that-stays/");
    const page = await openEventStream(`${address}updates`);
    gateway.say("Hello there", { sessionKey: "agent:main:main" });
    let told = "";
    while (!told.includes("Hello there")) told = JSON.stringify(await page.next());
    expect(JSON.parse(told)).toHaveProperty("action");
    expect(await ask(new URL("/metrics", address).href)).toMatchObject({ status: 200 });
    cli.child.kill("SIGTERM");
    expect(await cli.ended).toEqual({ code: 0, signal: null });
    page.close();
  });

  it("accepts only a port and --show-text", async () => {
    const refused = async (...args: string[]) => {
      const cli = runCli(args);
      expect(await cli.ended).toMatchObject({ code: 2 });
      return cli.stderr;
    };
    expect(await refused("demo", "--inspect", "here")).toContain("Expected a port from 0 to 65535 after `--inspect`");
    expect(await refused("demo", "--inspect", "70000")).toContain("Expected a port");
    expect(await refused("demo", "--allow-actions")).toContain("`--allow-actions` needs `--inspect`");
    expect(await refused("demo", "--show-text")).toContain("`--show-text` needs `--inspect`");
    expect(await refused("demo", "4000")).toContain("Expected no further argument");
  });
});

describe("--stately", () => {
  it("shows runs in Stately's inspector without their texts", async () => {
    const gateway = await fakeGateway();
    const cli = runCli(["listen", "--url", gateway.url, "--stately"], { OPENCLAW_GATEWAY_TOKEN: gateway.token });
    await gateway.nextConnection();
    const page = await openEventStream(`${addressIn(cli.stderr)}events`);
    gateway.say("The secret words", { sessionKey: "agent:main:main" });
    const told: string[] = [];
    while (!told.at(-1)?.includes('"dispatched"')) told.push(JSON.stringify(await page.next()));
    expect(told.join("")).not.toContain("secret");
    cli.child.kill("SIGTERM");
    expect(await cli.ended).toEqual({ code: 0, signal: null });
    page.close();
  });
});
