import { randomBytes } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";

/** Who holds `taken` entries: one open ledger in one process. */
export interface Holder {
  /**
   * Where its pid has a meaning: the boot of this machine and the pid namespace on Linux, the host
   * name elsewhere.
   */
  readonly place: string;
  readonly pid: number;
  /** When the process started, in the kernel's own count, which tells two users of one pid apart; only on Linux. */
  readonly startedAt?: string;
  /** When it last said that it lives, in ms since the epoch. */
  readonly seenAt: number;
}

/** The holder of what was released: nobody. */
export const NOBODY = 0;

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8").trim();
  } catch {
    return undefined;
  }
}

/** Field 22 of `/proc/<pid>/stat`. The second field is in parentheses and may itself hold spaces and parentheses. */
function processStart(pid: number): string | undefined {
  const stat = readText(`/proc/${pid}/stat`);
  return stat?.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
}

function findPlace(): string {
  const boot = readText("/proc/sys/kernel/random/boot_id");
  if (boot === undefined) return hostname();
  try {
    return `${boot} ${readlinkSync("/proc/self/ns/pid")}`;
  } catch {
    return `${boot} ${hostname()}`;
  }
}

const place = findPlace();
const startedAt = processStart(process.pid);

/** A number for a new holder; 48 random bits, never {@link NOBODY}. */
export function newHolderId(): number {
  return randomBytes(6).readUIntBE(0, 6) + 1;
}

/** This process as a holder that lives at `now`. */
export function holderNow(now: number): Holder {
  return { place, pid: process.pid, ...(startedAt === undefined ? {} : { startedAt }), seenAt: now };
}

function processExists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/**
 * Whether a holder is no more. Where its pid means the same to us, the process table knows, and an
 * holder that lives is never given up, however long it was stopped or busy. Elsewhere (another
 * container, before a restart of the machine, systems without `/proc`) it is no more when it has
 * not been seen for `leaseMs`.
 */
export function isGone(holder: Holder, now: number, leaseMs: number): boolean {
  if (holder.place === place) {
    if (!processExists(holder.pid)) return true;
    const start = holder.startedAt === undefined ? undefined : processStart(holder.pid);
    if (start !== undefined) return start !== holder.startedAt;
  }
  return now - holder.seenAt > leaseMs;
}
