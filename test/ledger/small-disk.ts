import { execFileSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmdirSync, rmSync, writeSync } from "node:fs";
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

/** Writes until there is no room for another byte. */
function fillUp(file: string): void {
  const fd = openSync(file, "w");
  for (let bytes = 65_536; bytes >= 1; bytes /= 2) {
    try {
      for (;;) writeSync(fd, Buffer.alloc(bytes));
    } catch {
      // Full, for so many bytes.
    }
  }
  closeSync(fd);
}

function mount(): string {
  const folder = mkdtempSync(join(tmpdir(), "disk-"));
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=8m", "tmpfs", folder], { stdio: "ignore" });
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
    fill: () => fillUp(ballast()),
    makeRoom: () => rmSync(ballast(), { force: true }),
  };
}
