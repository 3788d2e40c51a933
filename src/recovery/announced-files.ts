import type { Clock } from "../kit/clock.ts";
import { ExpiringMap } from "../kit/expiring-map.ts";
import { namedAttachments, type ToldAttachment } from "../protocol/attachments.ts";
import { fields } from "../protocol/fields.ts";
import type { SessionRow } from "../protocol/transcript-row.ts";

/** What {@link AnnouncedFiles} need. */
export interface AnnouncedFilesOptions {
  readonly clock: Clock;
  readonly ttlMs: number;
  readonly maxRuns: number;
}

interface Announced {
  /** The paths and addresses that the model wants to send, from the run's events. */
  readonly named: readonly string[];
  /** The files in the run's rows, by row, because a Gateway may repeat a row. */
  readonly rows: ReadonlyMap<string, readonly ToldAttachment[]>;
}

/** The most names of one run, the longest name, and the most characters of all runs together. */
const MAX_NAMED = 100;
const MAX_NAME_CHARS = 4_096;
const MAX_CHARS = 4_194_304;

/**
 * The files of runs whose finals have not come. A final does not mention them. The run's `agent` events name them, and
 * the Gateway puts them into the history 0.2 to 1 s after the final.
 */
export class AnnouncedFiles {
  private readonly byRun: ExpiringMap<Announced>;
  /** Runs of which some events were missed. */
  private readonly missed: ExpiringMap<true>;

  constructor({ clock, ttlMs, maxRuns }: AnnouncedFilesOptions) {
    this.byRun = new ExpiringMap({ windowMs: ttlMs, maxKeys: maxRuns, maxSize: MAX_CHARS, sizeOf: charsOf, clock });
    this.missed = new ExpiringMap({ windowMs: ttlMs, maxKeys: maxRuns, clock });
  }

  /** Events of a run in progress were missed. They may have named files. */
  miss(runId: string): void {
    this.missed.set(runId, true);
  }

  /** Reads the `data` of an `agent` event. */
  event(runId: string, data: unknown): void {
    const { mediaUrls } = fields(data);
    if (!Array.isArray(mediaUrls)) return;
    const { named, rows } = this.byRun.get(runId) ?? NOTHING;
    const all = new Set(named);
    for (let i = 0; i < mediaUrls.length && i < MAX_NAMED && all.size < MAX_NAMED; i++) {
      const url: unknown = mediaUrls[i];
      if (typeof url === "string" && url !== "" && url.length <= MAX_NAME_CHARS) all.add(url);
    }
    if (all.size > named.length) this.byRun.set(runId, { named: [...all], rows });
  }

  /** Records a row of the run. */
  row(runId: string, { id, kind, text, attachments }: SessionRow): void {
    if (attachments === undefined) return;
    const { named, rows } = this.byRun.get(runId) ?? NOTHING;
    if (rows.size < MAX_NAMED)
      this.byRun.set(runId, { named, rows: new Map(rows).set(`${id} ${kind} ${text.length}`, attachments) });
  }

  /** The known files of a run. Undefined when none were announced. */
  of(runId: string): readonly ToldAttachment[] | undefined {
    const announced = this.byRun.get(runId);
    if (announced === undefined) return undefined;
    const told = [...announced.rows.values()].flat();
    return told.length > 0 ? told : namedAttachments(announced.named);
  }

  /**
   * Whether the history will have more files. It will when its rows have fewer files than the model has named. It will,
   * too, when a run has no words and events of it were missed: then its answer must be files.
   */
  isIncomplete(runId: string, hasWords: boolean): boolean {
    if (!hasWords && this.missed.get(runId) !== undefined) return true;
    const { named, rows } = this.byRun.get(runId) ?? NOTHING;
    return [...rows.values()].flat().length < named.length;
  }

  clear(): void {
    this.byRun.clear();
    this.missed.clear();
  }
}

const NOTHING: Announced = { named: [], rows: new Map() };

function charsOf({ named, rows }: Announced): number {
  const told = [...rows.values()].flat();
  return told.reduce(
    (chars, { name = "", artifactId = "" }) => chars + name.length + artifactId.length + 64,
    named.reduce((chars, name) => chars + name.length + 16, 64),
  );
}
