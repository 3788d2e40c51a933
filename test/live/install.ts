import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** The Nodes that a release may ask for, those that most accept first. */
const NODE_MAJORS = ["24", "22", "26"] as const;
const INSTALL_TIMEOUT_MS = 600_000;
const INSTALLED = "installed.json";
const ENTRY = path.join("node_modules", "openclaw", "openclaw.mjs");

/** Where the program of one release of the Gateway and its Node are. */
export interface Installation {
  readonly version: string;
  readonly node: string;
  readonly entry: string;
}

/** Thrown when npm could not bring the Gateway here: the one failure that is not ours. */
export class InstallError extends Error {
  override readonly name = "InstallError";
}

/**
 * Finds a release of the Gateway in the cache folder, or installs it there (350 to 900 MB) from the npm registry, with the
 * first Node that its `engines` accept.
 *
 * The folder is `$OPENCLAW_INBOX_LIVE_DIR`, or `openclaw-inbox-live` in the folder for temporary files.
 *
 * @throws {InstallError} when it is neither there nor could be installed.
 */
export async function installGateway(version: string, progress: (line: string) => void): Promise<Installation> {
  const root = process.env.OPENCLAW_INBOX_LIVE_DIR ?? path.join(os.tmpdir(), "openclaw-inbox-live");
  const folder = path.join(root, `openclaw-${version}`);
  const entry = path.join(folder, ENTRY);
  const known = await installedFor(folder);
  if (known !== undefined) return { version, node: await installNode(root, known), entry };
  progress(`installing openclaw@${version} into ${folder}; this takes a minute or two`);
  let refusal = "";
  for (const major of NODE_MAJORS) {
    try {
      const node = await installNode(root, major);
      // Apart, for another process may be installing the same.
      const apart = `${folder}-${process.pid}`;
      await install(apart, `openclaw@${version}`, node);
      await run(node, [path.join(apart, ENTRY), "--version"], { timeout: 60_000 });
      await writeFile(path.join(apart, INSTALLED), JSON.stringify({ major }));
      await put(apart, folder);
      return { version, node, entry };
    } catch (error) {
      refusal = lastLines((error as { stderr?: string }).stderr || String(error));
      if (!/EBADENGINE|Unsupported engine/.test(refusal)) break;
    }
  }
  throw new InstallError(`npm could not install openclaw@${version}: ${refusal}`);
}

/** Puts a finished installation into its place, unless another process was faster. */
async function put(apart: string, folder: string): Promise<void> {
  if ((await installedFor(folder)) !== undefined) return rm(apart, { recursive: true, force: true });
  await rm(folder, { recursive: true, force: true });
  await rename(apart, folder);
}

/** The major of the Node that a finished installation was made for: its path may be gone with a checkout of this project. */
async function installedFor(folder: string): Promise<string | undefined> {
  try {
    const { major } = JSON.parse(await readFile(path.join(folder, INSTALLED), "utf8")) as { major?: string };
    return major;
  } catch {
    return undefined;
  }
}

async function installNode(root: string, major: string): Promise<string> {
  if (process.versions.node.startsWith(`${major}.`)) return process.execPath;
  const folder = path.join(root, `node-${major}`);
  const node = path.join(folder, "node_modules", ".bin", "node");
  if (!existsSync(node)) await install(folder, `node@${major}`, process.execPath);
  return node;
}

// With `engine-strict` npm itself tells whether the release runs on this Node.
async function install(folder: string, spec: string, node: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(path.join(folder, "package.json"), JSON.stringify({ name: "openclaw-inbox-live", private: true }));
  const args = ["install", "--engine-strict", "--no-audit", "--no-fund", "--loglevel=error", spec];
  const env = { ...process.env, PATH: `${path.dirname(node)}${path.delimiter}${process.env.PATH ?? ""}` };
  await run("npm", args, { cwd: folder, env, timeout: INSTALL_TIMEOUT_MS });
}

function lastLines(text: string): string {
  return text.trim().split("\n").slice(-5).join("\n");
}
