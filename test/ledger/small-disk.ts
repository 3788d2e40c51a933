import { execFileSync } from "node:child_process";
import { mkdtempSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach } from "vitest";

/** A disk of a few MiB, to be filled up. */
export interface SmallDisk {
  /** The path of a file on it. */
  path(name: string): string;
  fill(): void;
  makeRoom(): void;
}

const MiB = 1_048_576;

function mount(): string {
  const folder = mkdtempSync(join(tmpdir(), "disk-"));
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=64m", "tmpfs", folder], { stdio: "ignore" });
  } catch (error) {
    rmdirSync(folder);
    throw error;
  }
  return folder;
}

function unmount(folder: string): void {
  execFileSync("umount", ["--lazy", folder]);
  rmdirSync(folder);
}

/** Whether this user may mount a disk of its own; says loudly when the tests that need one are skipped. */
export function canMount(): boolean {
  try {
    unmount(mount());
    return true;
  } catch {
    console.warn("SKIPPED: the tests of a full disk need root on Linux, to mount a small one.");
    return false;
  }
}

/** A small disk for each test of the suite that calls this. */
export function useSmallDisk(): SmallDisk {
  let folder = "";
  beforeEach(() => {
    folder = mount();
  });
  afterEach(() => unmount(folder));
  const ballast = () => join(folder, "ballast");
  return {
    path: (name) => join(folder, name),
    fill: () => writeFileSync(ballast(), Buffer.alloc(48 * MiB)),
    makeRoom: () => rmSync(ballast(), { force: true }),
  };
}
