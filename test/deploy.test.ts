import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Webhook } from "standardwebhooks";
import { describe, expect, it, onTestFinished } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { commands } from "../src/cli/commands.ts";
import { variableOf } from "../src/cli/environment.ts";
import { runCli } from "./cli/run-cli.ts";
import { listening } from "./helpers/listening.ts";
import { temporaryFile } from "./helpers/temporary-folder.ts";
import { fakeGateway } from "./testing/helpers.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = join(root, "examples", "deploy");
const read = (file: string) => readFileSync(join(folder, file), "utf8");
const secret = `whsec_${Buffer.alloc(24, 5).toString("base64")}`;

/** The variables that the command line knows. */
async function knownVariables(): Promise<ReadonlySet<string>> {
  const names = ["OPENCLAW_INBOX_WEBHOOK_SECRET"];
  for (const { load } of commands.values()) {
    const { options } = await load();
    names.push(...Object.entries(options).flatMap(([name, option]) => variableOf(name, option) ?? []));
  }
  return new Set(names);
}

interface Compose {
  readonly services: Readonly<
    Record<string, { readonly command?: readonly string[]; readonly environment?: Readonly<Record<string, string>> }>
  >;
}

interface Manifest {
  readonly kind: string;
  readonly spec: {
    readonly template: {
      readonly spec: {
        readonly containers: readonly {
          readonly args: readonly string[];
          readonly env: readonly { readonly name: string }[];
        }[];
      };
    };
  };
}

const compose = parse(read("compose.yaml")) as Compose;
const manifests = parseAllDocuments(read("kubernetes.yaml")).map((document) => document.toJS() as Manifest);

describe("the systemd unit", () => {
  const hasSystemd = spawnSync("systemd-analyze", ["--version"]).status === 0;
  if (!hasSystemd) console.warn("THE SYSTEMD UNIT WAS NOT VERIFIED: THERE IS NO systemd-analyze HERE");

  it.skipIf(!hasSystemd)("is accepted by systemd", () => {
    const { status, stderr } = spawnSync("systemd-analyze", ["verify", join(folder, "openclaw-inbox.service")], {
      encoding: "utf8",
    });
    // Other units of this machine are looked at, too.
    const ours = stderr.split("\n").filter((line) => line.includes("openclaw-inbox"));
    expect(ours).toEqual([]);
    expect(status, stderr).toBe(0);
  });

  it("sets known variables and starts no npx", async () => {
    const unit = read("openclaw-inbox.service");
    const known = await knownVariables();
    for (const [, name = ""] of unit.matchAll(/\b(OPENCLAW_[A-Z_]+)=/g)) expect(known, name).toContain(name);
    expect(unit).toMatch(/^ExecStart=\/usr\/bin\/env openclaw-inbox listen/m);
  });

  it("keeps its log, its ledger and its key", () => {
    const unit = read("openclaw-inbox.service");
    // Without a line of its own the log goes where the output goes, which is nowhere.
    expect(unit).toContain("\nStandardOutput=null\n");
    expect(unit).toContain("\nStandardError=journal\n");
    const [, folder = ""] = /^StateDirectory=(.*)$/m.exec(unit) ?? [];
    for (const variable of ["LEDGER", "DEVICE"])
      expect(unit).toMatch(new RegExp(`^Environment=OPENCLAW_INBOX_${variable}=/var/lib/${folder}/\\S+$`, "m"));
    // The key that the page's command makes is the one that the service reads.
    const [, device = ""] = /(OPENCLAW_INBOX_DEVICE=\S+)/.exec(unit) ?? [];
    for (const setting of [device, "DynamicUser=yes", "User=openclaw-inbox", `StateDirectory=${folder}`])
      expect(read("README.md")).toContain(setting);
  });
});

describe("the Dockerfile", () => {
  it("starts the listener as the first process with known variables", async () => {
    const dockerfile = read("Dockerfile");
    const known = await knownVariables();
    for (const [, name = ""] of dockerfile.matchAll(/\b(OPENCLAW_[A-Z_]+)=/g)) expect(known, name).toContain(name);
    expect(dockerfile).toContain('ENTRYPOINT ["openclaw-inbox"]\nCMD ["listen", "--json"]');
    expect(dockerfile).toMatch(/^USER node$/m);
  });

  it("asks for the health of a healthy listener", async () => {
    const [, json = "[]"] = /HEALTHCHECK[^[]*\n\s*CMD (\[.*\])/.exec(read("Dockerfile")) ?? [];
    const [program = "", ...args] = JSON.parse(json) as string[];
    const server = createServer((_request, response) => response.end("ok"));
    const port = await listening(server);
    const script = (args[1] ?? "").replace(":9464", `:${port}`);
    const check = () => {
      const child = spawn(program, [args[0] ?? "", script]);
      return once(child, "exit").then(([code]) => code as number);
    };
    expect(await check()).toBe(0);
    server.close();
    await once(server, "close");
    expect(await check()).toBe(1);
  });
});

describe("the compose file", () => {
  it("has services whose commands work", async () => {
    const gateway = await fakeGateway();
    const web = createServer();
    const webPort = await listening(web);
    // The names of the network lead to this machine, and `/data` is a folder of the test.
    const data = temporaryFile("data");
    const places: readonly (readonly [string, string])[] = [
      ["ws://gateway:18789", gateway.url],
      ["http://web:3000", `http://localhost:${webPort}`],
    ];
    // What stands in `.env` beside the file.
    const dotEnv = new Map([
      ["OPENCLAW_GATEWAY_TOKEN", gateway.token],
      ["OPENCLAW_INBOX_WEBHOOK_SECRET", secret],
    ]);
    const fill = (text: string) => text.replace(/\$\{(\w+):\?\}/g, (_all, name: string) => dotEnv.get(name) ?? "");
    const { command = [], environment = {} } = compose.services["inbox"] ?? {};
    const env = Object.fromEntries(
      Object.entries(environment).map(([name, value]) => [
        name,
        places.reduce((text, [from, to]) => text.replace(from, to), fill(value)),
      ]),
    );
    const device = `${data}-device.json`;
    const paired = runCli(compose.services["pair"]?.command ?? [], { ...env, OPENCLAW_INBOX_DEVICE: device });
    expect(await paired.ended).toEqual({ code: 0, signal: null });

    const cli = runCli(command, { ...env, OPENCLAW_INBOX_DEVICE: device });
    await gateway.nextConnection();
    gateway.say("Through the containers", { sessionKey: "agent:main:team" });
    const [request, response] = (await once(web, "request")) as [IncomingMessage, ServerResponse];
    let body = "";
    for await (const piece of request.setEncoding("utf8")) body += piece;
    response.writeHead(204).end();
    expect(request.url).toBe("/openclaw/messages");
    expect(new Webhook(secret).verify(body, request.headers as Record<string, string>)).toMatchObject({
      data: { text: "Through the containers" },
    });
    cli.child.kill("SIGTERM");
    expect(await cli.ended).toEqual({ code: 0, signal: null });
  });

  it("sets known variables", async () => {
    const known = await knownVariables();
    for (const name of Object.keys(compose.services["inbox"]?.environment ?? {})) expect(known).toContain(name);
  });
});

describe("the Kubernetes manifests", () => {
  it("match Kubernetes' own types", () => {
    const project = mkdtempSync(join(tmpdir(), "manifests-"));
    onTestFinished(() => rmSync(project, { recursive: true }));
    cpSync(join(root, "node_modules", "kubernetes-types"), join(project, "kubernetes-types"), { recursive: true });
    const types: Readonly<Record<string, string>> = {
      Deployment: "apps/v1",
      PodDisruptionBudget: "policy/v1",
    };
    const check = (of: readonly Manifest[]) => {
      const lines = of.map(
        (manifest, index) =>
          `import type { ${manifest.kind} as T${index} } from "./kubernetes-types/${types[manifest.kind]}.js";\n` +
          `export const m${index}: T${index} = ${JSON.stringify(manifest)};`,
      );
      writeFileSync(join(project, "check.ts"), lines.join("\n"));
      const tsc = join(root, "node_modules", ".bin", "tsc");
      const flags = [
        "--noEmit",
        "--strict",
        "--skipLibCheck",
        "--types",
        "",
        "--module",
        "nodenext",
        "--target",
        "es2022",
      ];
      return spawnSync(tsc, [...flags, "check.ts"], { cwd: project, encoding: "utf8" });
    };
    const { status, stdout } = check(manifests);
    expect(stdout).toBe("");
    expect(status).toBe(0);
    // A misspelt field is found.
    const [first] = manifests;
    const wrong = JSON.parse(JSON.stringify(first).replace("containerPort", "containerport")) as Manifest;
    expect(check([wrong]).status).not.toBe(0);
  });

  it("set known variables and probe served paths", async () => {
    const known = await knownVariables();
    const container = manifests[0]?.spec.template.spec.containers[0];
    expect(container?.args).toEqual(["listen", "--json"]);
    for (const { name } of container?.env ?? []) expect(known).toContain(name);
    for (const path of ["/healthz", "/readyz"]) expect(read("kubernetes.yaml")).toContain(`path: ${path}`);
  });
});
