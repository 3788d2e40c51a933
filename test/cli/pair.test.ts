import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { temporaryFile } from "../helpers/temporary-folder.ts";
import { fakeGateway } from "../testing/helpers.ts";
import { runCli } from "./run-cli.ts";

async function pair(prepare: (gateway: Awaited<ReturnType<typeof fakeGateway>>) => void = () => {}) {
  const gateway = await fakeGateway();
  prepare(gateway);
  const file = temporaryFile("device.json");
  const env = { OPENCLAW_GATEWAY_URL: gateway.url, OPENCLAW_GATEWAY_TOKEN: gateway.token };
  return { cli: runCli(["pair", "--device", file], env), file, gateway, env };
}

describe("pair", () => {
  it("prints the command that approves the device and waits", async () => {
    const { cli, file, gateway, env } = await pair((fake) => fake.refuse("pairing", 1));
    expect(await cli.ended).toEqual({ code: 0, signal: null });
    expect(cli.stderr).toMatch(
      /^The Gateway asks for approval\. .*\n\n {2}openclaw devices approve [\w-]+\n\n.*\nPaired\.\n$/,
    );
    expect(cli.stderr).not.toContain(gateway.token);
    const { deviceId } = JSON.parse(readFileSync(file, "utf8")) as { deviceId: string };

    const listener = runCli(["listen", "--json", "--device", file], env);
    await gateway.nextConnection();
    listener.child.kill("SIGTERM");
    await listener.ended;
    expect(JSON.parse(readFileSync(file, "utf8"))).toMatchObject({ deviceId });
  });

  it("says that no approval is needed", async () => {
    const { cli } = await pair();
    expect(await cli.ended).toEqual({ code: 0, signal: null });
    expect(cli.stderr).toBe("This device is paired already. There is nothing to approve.\n");
  });

  it("ends with 3 for what pairing does not mend", async () => {
    const { cli } = await pair((fake) => fake.refuse("wrong-token"));
    expect(await cli.ended).toEqual({ code: 3, signal: null });
    expect(cli.stderr).toContain("openclaw-inbox: The Gateway refused the token.");
  });

  it("stops at a signal while it waits", async () => {
    const { cli } = await pair((fake) => fake.refuse("pairing", 1_000));
    await cli.written("Waiting; Ctrl-C stops.");
    cli.child.kill("SIGINT");
    expect(await cli.ended).toEqual({ code: 1, signal: null });
  });
});
