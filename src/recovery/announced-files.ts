import type { Clock } from "../kit/clock.ts";
import { ExpiringMap } from "../kit/expiring-map.ts";
import { namedAttachments, type ToldAttachment } from "../protocol/attachments.ts";
import { fields } from "../protocol/fields.ts";

/** What {@link AnnouncedFiles} need. */
export interface AnnouncedFilesOptions {
  readonly clock: Clock;
  readonly ttlMs: number;
  readonly maxRuns: number;
}

interface Announced {
  /** By the events of the run: the model has named these. */
  readonly named: ReadonlySet<string>;
  /** By its rows. */
  readonly told: readonly ToldAttachment[];
}

/** More names of one run are not kept. */
const MAX_NAMED = 100;
const MAX_NAME_CHARS = 4_096;

/**
 * The files of runs whose finals have not come. A final does not speak of them: the run's `agent` events name what the
 * model wants to send along, and the Gateway puts what it gives out into the history some 200 to 1,000 ms after the final.
 */
export class AnnouncedFiles {
  private readonly byRun: ExpiringMap<Announced>;

  constructor({ clock, ttlMs, maxRuns }: AnnouncedFilesOptions) {
    this.byRun = new ExpiringMap({ windowMs: ttlMs, maxKeys: maxRuns, clock });
  }

  /** Takes the `data` of an `agent` event. */
  event(runId: string, data: unknown): void {
    const { mediaUrls } = fields(data);
    if (!Array.isArray(mediaUrls)) return;
    const { named, told } = this.byRun.get(runId) ?? NOTHING;
    const all = new Set(named);
    for (let i = 0; i < mediaUrls.length && all.size < MAX_NAMED; i++) {
      const url: unknown = mediaUrls[i];
      if (typeof url === "string" && url !== "" && url.length <= MAX_NAME_CHARS) all.add(url);
    }
    if (all.size > named.size) this.byRun.set(runId, { named: all, told });
  }

  /** Takes what a row of the run has besides text. */
  row(runId: string, attachments: readonly ToldAttachment[]): void {
    const { named, told } = this.byRun.get(runId) ?? NOTHING;
    if (told.length < MAX_NAMED) this.byRun.set(runId, { named, told: [...told, ...attachments] });
  }

  /** The files of a run, by as much as is known of them; undefined when none were announced. */
  of(runId: string): readonly ToldAttachment[] | undefined {
    const announced = this.byRun.get(runId);
    if (announced === undefined) return undefined;
    const { named, told } = announced;
    return told.length > 0 ? told : (namedAttachments([...named]) ?? told);
  }

  /** Whether the history will have more of them than is known: the rows that came speak of fewer than the model has named. */
  isIncomplete(runId: string): boolean {
    const { named, told } = this.byRun.get(runId) ?? NOTHING;
    return told.length < named.size;
  }

  clear(): void {
    this.byRun.clear();
  }
}

const NOTHING: Announced = { named: new Set(), told: [] };
