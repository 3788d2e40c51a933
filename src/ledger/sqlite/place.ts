import { constants, type StatsFs } from "node:fs";
import { access, lstat, readFile, readlink, realpath, stat, statfs } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { errorText, InboxError } from "../../errors.ts";
import { openError } from "./problems.ts";

/**
 * File systems whose files are on another machine or served by a process, by the type that Linux's `statfs` returns.
 */
const NETWORK_FILE_SYSTEMS: ReadonlyMap<number, string> = new Map([
  [0x6969, "NFS"],
  [0x517b, "SMB"],
  [0xfe534d42, "SMB"],
  [0xff534d42, "CIFS"],
  [0x01021997, "9p"],
  [0x65735546, "FUSE"],
  [0x5346414f, "AFS"],
  [0x00c36400, "Ceph"],
  [0x73757245, "Coda"],
  [0x564c, "NCP"],
  [0x0bd00bd0, "Lustre"],
  [0x01161970, "GFS2"],
  [0x7461636f, "OCFS2"],
  [0x47504653, "GPFS"],
  [0x19830326, "BeeGFS"],
  [0x20030528, "OrangeFS"],
  [0x786f4256, "a VirtualBox shared folder"],
  [0xbacbacbc, "a VMware shared folder"],
]);

/** The name of the network file system with that type; undefined for a local one. */
export function networkFileSystem({ type }: Pick<StatsFs, "type">): string | undefined {
  // Some systems return the type as a signed number.
  return NETWORK_FILE_SYSTEMS.get(type >>> 0);
}

function codeOf(error: unknown): string {
  return String((error as { code?: unknown }).code);
}

/** The longest chain of symbolic links. */
const MAX_LINKS = 40;

/** The real path of a file, which may not exist yet. */
async function realPathOf(file: string): Promise<string> {
  let path = resolve(file);
  for (let links = 0; links < MAX_LINKS; links += 1) {
    const folder = await realpath(dirname(path));
    path = join(folder, basename(path));
    const target = await readlink(path).catch(() => undefined);
    if (target === undefined) return path;
    path = resolve(folder, target);
  }
  throw new Error("too many symbolic links");
}

/** Whether something is mounted at exactly that path, as containers do with single files. False when that is unknown. */
async function isMount(path: string): Promise<boolean> {
  const table = await readFile("/proc/self/mountinfo", "utf8").catch(() => "");
  const escaped = path.replace(/[ \t\n\\]/g, (char) => `\\${char.charCodeAt(0).toString(8).padStart(3, "0")}`);
  return table.split("\n").some((line) => line.split(" ")[4] === escaped);
}

/**
 * Checks that a ledger file can be at that place, and returns its real path. Two names that are symbolic links are one
 * ledger. It never opens the file, because closing it would end this process's locks on it.
 *
 * @throws {InboxError} `ERR_INBOX_LEDGER` with `details` `{ file, reason }`.
 */
export async function checkPlace(file: string): Promise<string> {
  try {
    const path = await realPathOf(file);
    const folder = dirname(path);
    if (!(await stat(folder)).isDirectory()) throw openError(file, "no-folder");
    await access(folder, constants.W_OK | constants.X_OK);
    const fileSystem = networkFileSystem(await statfs(folder));
    if (fileSystem !== undefined) throw openError(file, "network", fileSystem);
    const stats = await lstat(path).catch(() => undefined);
    if (stats !== undefined && !stats.isFile()) throw openError(file, "not-a-file");
    if (stats !== undefined && stats.nlink > 1) throw openError(file, "hard-link");
    if (stats !== undefined && (await isMount(path))) throw openError(file, "file-mount");
    if (stats !== undefined) await access(path, constants.R_OK | constants.W_OK);
    return path;
  } catch (error) {
    if (error instanceof InboxError) throw error;
    const code = codeOf(error);
    const reason =
      code === "ENOENT" || code === "ENOTDIR"
        ? "no-folder"
        : code === "EACCES" || code === "EPERM" || code === "EROFS"
          ? "no-permission"
          : "failed";
    throw openError(file, reason, errorText(error), error);
  }
}
