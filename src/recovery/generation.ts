import { fields } from "../protocol/fields.ts";
import type { SessionRow } from "../protocol/transcript-row.ts";
import { type Address, jobAddress } from "./sessions/address.ts";

/** The release from which on something is so: year, month, number. */
type Release = readonly [year: number, month: number, number: number];

/** Rows say which run they are of. */
const NAMES_RUNS: Release = [2026, 8, 0];
/** Live, the texts on either side of a tool call are joined by a blank line; before, by nothing. */
const JOINS_BY_BLANK_LINE: Release = [2026, 9, 5];

/**
 * What is different with the Gateway's release. It says its version at the hello; of a source that does not tell of
 * it the newest is assumed, until rows say otherwise. docs/gateway-versions.md has what was measured.
 */
export class Generation {
  private release: Release | undefined;
  /** A row has said which run it is of. */
  private hasNamed = false;

  /** `hello`: the Gateway's `hello-ok` payload. */
  setHello(hello: unknown): void {
    const { version } = fields(fields(hello)["server"]);
    const parts = typeof version === "string" ? /^(\d{4})\.(\d{1,2})\.(\d{1,3})/.exec(version) : null;
    if (parts !== null) this.release = [Number(parts[1]), Number(parts[2]), Number(parts[3])];
  }

  /** Whether rows that carry no run id are runs. */
  hasNamelessRuns(rows: readonly SessionRow[]): boolean {
    if (this.release !== undefined) return !isSince(this.release, NAMES_RUNS);
    this.hasNamed ||= rows.some(({ kind, runId }) => runId !== undefined && (kind === "reply" || kind === "step"));
    return !this.hasNamed;
  }

  /** Whether it is certain that rows say which run they are of. */
  get namesRuns(): boolean {
    return this.release === undefined ? this.hasNamed : isSince(this.release, NAMES_RUNS);
  }

  /** What stands live between two texts of a run around a tool call. */
  get joiner(): string {
    return this.release === undefined || isSince(this.release, JOINS_BY_BLANK_LINE) ? "\n\n" : "";
  }

  /** Where the history of a session lies. That of an isolated cron run is kept under its job. */
  historyOf(address: Address): Address {
    return this.keepsRunsApart ? address : jobAddress(address);
  }

  /** Whether subscribing makes a difference: newer Gateways tell everybody of isolated cron runs. */
  isHidden(address: Address): boolean {
    return this.keepsRunsApart || jobAddress(address).key === address.key;
  }

  /**
   * A main-session cron job runs under a key of its own after it has "finished". It is told to subscribers only, and its
   * history lies there, unlisted.
   */
  get keepsRunsApart(): boolean {
    return this.release !== undefined && !isSince(this.release, NAMES_RUNS);
  }
}

function isSince(release: Release, since: Release): boolean {
  for (const [index, part] of release.entries()) {
    const from = since[index] ?? 0;
    if (part !== from) return part > from;
  }
  return true;
}
