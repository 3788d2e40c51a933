import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** Names every module that a program loads, by Node's own hooks. */
function loadedBy(program: string): { readonly files: readonly string[]; readonly packages: readonly string[] } {
  const script = `
    import { registerHooks } from "node:module";
    const urls = [];
    registerHooks({ load: (url, context, next) => (urls.push(url), next(url, context)) });
    const { createInbox } = await import("./src/index.ts");
    ${program}
    process.stdout.write(JSON.stringify(urls), () => process.exit());`;
  const args = ["--disable-warning=ExperimentalWarning", "--input-type=module", "-e", script];
  const urls = JSON.parse(execFileSync(process.execPath, args, { cwd: root, encoding: "utf8" })) as string[];
  const packages = urls.map((url) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1] ?? url);
  return {
    files: urls.map((url) => url.replace(`file://${root}`, "")),
    packages: [...new Set(packages.filter((name) => !name.startsWith("file:")))].sort(),
  };
}

const startAtNoGateway = `
  const inbox = createInbox({ gateway: "ws://127.0.0.1:1" });
  await inbox.start({ timeoutMs: 5_000 });`;

describe("requiring the package", () => {
  it.each(["src/index.ts", "machines/index.ts", "src/inspector/index.ts", "src/testing/index.ts"])(
    "works from CommonJS: %s",
    (file) => {
      const script = `process.stdout.write(Object.keys(require("./${file}")).join())`;
      const args = ["--disable-warning=ExperimentalWarning", "--input-type=commonjs", "-e", script];
      const names = execFileSync(process.execPath, args, { cwd: root, encoding: "utf8" });
      expect(names).toMatch(/\bcreateInbox\b|\brunMachine\b|\bcreateInspector\b|\bcreateFakeGateway\b/);
    },
  );
});

describe("importing the package", () => {
  const { files, packages } = loadedBy("");

  it("loads RxJS, XState and what every Node program has loaded", () => {
    expect(packages.filter((name) => !name.startsWith("node:"))).toEqual(["rxjs", "xstate"]);
    expect(packages).not.toContain("node:sqlite");
    expect(packages).not.toContain("node:http");
  });

  it("loads of RxJS only the files that are used", () => {
    expect(files).not.toContain("node_modules/rxjs/dist/cjs/index.js");
    expect(files.filter((file) => file.includes("/rxjs/")).length).toBeLessThan(60);
  });

  it("loads no adapter that is not used", () => {
    const ours = files.filter((file) => /^(src|machines)\//.test(file));
    expect(ours.length).toBeGreaterThan(50);
    expect(
      ours.filter((file) => /^src\/(cli|inspector|metrics|testing|ledger\/postgres|delivery\/bullmq)\//.test(file)),
    ).toEqual([]);
  });

  it("loads the Gateway's client when a connection is opened", () => {
    expect(loadedBy(startAtNoGateway).packages).toContain("@openclaw/gateway-client");
    expect(loadedBy(`createInbox({ gateway: "ws://127.0.0.1:1" });`).packages).not.toContain(
      "@openclaw/gateway-client",
    );
  });

  it("gives the observables that RxJS's own entry knows", () => {
    expect(
      loadedBy(`
        const { Observable } = await import("rxjs");
        if (!(createInbox().messages$ instanceof Observable)) throw new Error("another RxJS");`).packages,
    ).toContain("rxjs");
  });
});
