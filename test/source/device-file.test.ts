import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { createDevice } from "../../src/source/gateway/device-file.ts";
import { gatewaySource } from "../../src/source/gateway/gateway.ts";
import { useTemporaryFolder } from "../helpers/temporary-folder.ts";

const inFolder = useTemporaryFolder();

const refused = (message: string) => expect.objectContaining({ code: "ERR_INBOX_OPTION", message }) as Error;

describe("a device file", () => {
  it("is created at the first call for its owner only", () => {
    const file = inFolder("new/device.json");
    const device = createDevice(file);
    expect(device.deviceId).toMatch(/^[0-9a-f]{64}$/);
    if (process.platform !== "win32") expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(createDevice(pathToFileURL(file))).toMatchObject({ deviceId: device.deviceId });
    expect(readdirSync(inFolder("new"))).toEqual(["device.json"]);
    // A device that does not fit together would be refused here.
    gatewaySource({ url: "ws://127.0.0.1:1", device });
  });

  it("keeps a token and forgets it", () => {
    const file = inFolder("device.json");
    const device = createDevice(file);
    expect(device.loadToken?.()).toBeUndefined();
    device.storeToken?.("a-token", ["operator.read"]);
    expect(createDevice(file).loadToken?.()).toEqual({ token: "a-token", scopes: ["operator.read"] });
    const { ino } = statSync(file);
    device.storeToken?.("a-token", ["operator.read"]);
    expect(statSync(file).ino, "nothing is written for the token that is there").toBe(ino);
    device.clearToken?.();
    expect(createDevice(file).loadToken?.()).toBeUndefined();
    expect(readFileSync(file, "utf8")).not.toContain("a-token");
  });

  it("is one device when several processes create it at once", () => {
    const file = inFolder("device.json");
    const module = JSON.stringify(fileURLToPath(new URL("../../src/source/gateway/device-file.ts", import.meta.url)));
    const program = `import { createDevice } from ${module}; console.log(createDevice(${JSON.stringify(file)}).deviceId);`;
    const shell = Array.from({ length: 3 }, () => '"$NODE" --import tsx --input-type=module --eval "$PROGRAM" &').join(
      " ",
    );
    const { stdout } = spawnSync("sh", ["-c", `${shell} wait`], {
      env: { ...process.env, NODE: process.execPath, PROGRAM: program },
      encoding: "utf8",
    });
    const ids = stdout.trim().split("\n");
    expect(ids).toHaveLength(3);
    expect(new Set(ids).size).toBe(1);
    expect(readdirSync(inFolder("."))).toEqual(["device.json"]);
  });

  it.each([
    ["no JSON", "nonsense", "is no device file"],
    ["another file", JSON.stringify({ name: "x" }), "is no device file"],
    ["null", "null", "is no device file"],
    ["a large file", " ".repeat(100_000), "is no device file"],
    [
      "a damaged one",
      JSON.stringify({ version: 1, deviceId: "0", publicKeyPem: "secret-key", privateKeyPem: "secret-key" }),
      "is damaged: its key and its id do not fit. Restore it, or remove it to pair as a new device",
    ],
  ])("is refused by name and left unchanged where it is %s", (_what, content, words) => {
    const file = inFolder("device.json");
    writeFileSync(file, content);
    expect(() => createDevice(file)).toThrow(refused(`The device file ${file} ${words}`));
    expect(readFileSync(file, "utf8")).toBe(content);
  });

  it("says why it cannot be created", () => {
    writeFileSync(inFolder("file"), "");
    expect(() => createDevice(inFolder("file/device.json"))).toThrow(/cannot be (made|read): E[A-Z]+/);
  });

  it("is not created through a broken link", () => {
    const file = inFolder("device.json");
    symlinkSync(inFolder("elsewhere"), file);
    expect(() => createDevice(file)).toThrow("cannot be read: ENOENT");
  });

  it.each(["", "a\0b", 7, undefined, new URL("https://h/a")])("is refused where its path is %j", (file) => {
    expect(() => createDevice(file as string)).toThrow(expect.objectContaining({ code: "ERR_INBOX_OPTION" }) as Error);
  });
});
