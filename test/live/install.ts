import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** The Gateway that is tested against, and the Node it needs: its own install refuses an older one. */
const OPENCLAW_VERSION = "2026.9.6";
const NODE_RANGE = "24";
const INSTALL_TIMEOUT_MS = 600_000;

/** Where the Gateway's program and its Node are. */
export interface Installation {
  readonly node: string;
  readonly entry: string;
}

/** Thrown when npm could not bring the Gateway here: the one failure that is not ours. */
export class InstallError extends Error {
  override readonly name = "InstallError";
}

/**
 * Finds the Gateway in the cache folder, or installs it there (about 800 MB) from the npm registry.
 *
 * The folder is `$OPENCLAW_INBOX_LIVE_DIR`, or `openclaw-inbox-live` in the folder for temporary files.
 *
 * @throws {InstallError} when it is neither there nor could be installed.
 */
export async function installGateway(progress: (line: string) => void): Promise<Installation> {
  const folder = process.env.OPENCLAW_INBOX_LIVE_DIR ?? path.join(os.tmpdir(), "openclaw-inbox-live");
  const bin = path.join(folder, "node_modules", ".bin");
  const installation = {
    node: path.join(bin, "node"),
    entry: path.join(folder, "node_modules", "openclaw", "openclaw.mjs"),
  };
  if (await works(installation)) return installation;
  progress(`installing openclaw@${OPENCLAW_VERSION} into ${folder}; this takes a minute or two`);
  try {
    await mkdir(folder, { recursive: true });
    await writeFile(path.join(folder, "package.json"), JSON.stringify({ name: "openclaw-inbox-live", private: true }));
    await npm(folder, process.env.PATH ?? "", `node@${NODE_RANGE}`);
    await npm(folder, `${bin}${path.delimiter}${process.env.PATH ?? ""}`, `openclaw@${OPENCLAW_VERSION}`);
  } catch (error) {
    throw new InstallError(`npm failed: ${lastLines((error as { stderr?: string }).stderr ?? String(error))}`);
  }
  if (!(await works(installation))) throw new InstallError(`npm installed something into ${folder} that does not run`);
  return installation;
}

function npm(folder: string, searchPath: string, spec: string): Promise<unknown> {
  const args = ["install", "--no-audit", "--no-fund", "--loglevel=error", spec];
  return run("npm", args, { cwd: folder, env: { ...process.env, PATH: searchPath }, timeout: INSTALL_TIMEOUT_MS });
}

// Asks the program itself: a folder alone may be what an interrupted install left behind.
async function works({ node, entry }: Installation): Promise<boolean> {
  try {
    const { stdout } = await run(node, [entry, "--version"], { timeout: 60_000 });
    return stdout.includes(OPENCLAW_VERSION);
  } catch {
    return false;
  }
}

function lastLines(text: string): string {
  return text.trim().split("\n").slice(-5).join("\n");
}
