import { fields } from "../protocol/fields.ts";
import type { SessionRow } from "../protocol/transcript-row.ts";
import { type Address, jobAddress } from "./sessions/address.ts";

/** The first release with a property: year, month, number. */
type Release = readonly [year: number, month: number, number: number];

/** From here on, rows have their run's id. */
const NAMES_RUNS: Release = [2026, 8, 0];
/**
 * From here on, the texts before and after a tool call are joined by a blank line, live. Before, they are joined
 * directly.
 */
const JOINS_BY_BLANK_LINE: Release = [2026, 9, 5];

/**
 * The differences between releases of the Gateway. The Gateway tells its version at the hello. Without a version the
 * newest release is assumed, until rows show otherwise. docs/gateway-versions.md has the measurements.
 */
export class Generation {
  private release: Release | undefined;
  /** A row had its run's id. */
  private hasNamed = false;

  /** `hello` is the Gateway's `hello-ok` payload. */
  setHello(hello: unknown): void {
    const { version } = fields(fields(hello)["server"]);
    const parts = typeof version === "string" ? /^(\d{4})\.(\d{1,2})\.(\d{1,3})/.exec(version) : null;
    if (parts !== null) this.release = [Number(parts[1]), Number(parts[2]), Number(parts[3])];
  }

  /** Whether rows without a run id are runs. */
  hasNamelessRuns(rows: readonly SessionRow[]): boolean {
    if (this.release !== undefined) return !isSince(this.release, NAMES_RUNS);
    this.hasNamed ||= rows.some(({ kind, runId }) => runId !== undefined && (kind === "reply" || kind === "step"));
    return !this.hasNamed;
  }

  /** Whether it is certain that rows have their run's id. */
  get namesRuns(): boolean {
    return this.release === undefined ? this.hasNamed : isSince(this.release, NAMES_RUNS);
  }

  /** Whether the ids in rows may be masked. */
  get masksIds(): boolean {
    return this.isKnownOld;
  }

  /** The text between two texts of a run around a tool call, live. */
  get joiner(): string {
    return this.release === undefined || isSince(this.release, JOINS_BY_BLANK_LINE) ? "\n\n" : "";
  }

  /** The address with the history of a session. An isolated cron run's history is under its job. */
  historyOf(address: Address): Address {
    return this.keepsRunsApart ? address : jobAddress(address);
  }

  /** Whether subscribing is useful. Newer Gateways send isolated cron runs to every connection. */
  isHidden(address: Address): boolean {
    return this.keepsRunsApart || jobAddress(address).key === address.key;
  }

  /**
   * Whether a main-session cron job runs under its own key after it has "finished". Such runs are sent only to
   * subscribers, and their sessions are not listed.
   */
  get keepsRunsApart(): boolean {
    return this.isKnownOld;
  }

  /** Whether it is certain that rows have no run's id. */
  private get isKnownOld(): boolean {
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
