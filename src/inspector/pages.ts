import type { ServerResponse } from "node:http";
import type { Inbox } from "../inbox-api.ts";
import type { Clock } from "../kit/clock.ts";
import { startTimer, type Timer } from "../kit/timer.ts";
import type { FollowedRuns } from "./followed-runs.ts";
import { beginEventStream, reply } from "./routes.ts";
import { type Seen, type SharedUpdate, Watch } from "./watch.ts";
import type { Update } from "./wire.ts";

/** How long the inbox is watched after the last page has closed, in ms. A reloaded page then still finds everything. */
const LINGER_MS = 30_000;
/** How many pages may be open at once. */
const MAX_PAGES = 16;
/** A page that is this many bytes behind is sent nothing until it has caught up. An update has less than a megabyte. */
const MAX_BEHIND_BYTES = 262_144;
/** A page that has been behind for this long, in ms, is closed. Its browser comes back when it reads again. */
const MAX_BEHIND_MS = 30_000;

interface Page {
  readonly response: ServerResponse;
  readonly seen: Seen;
  /** Since when the page has been too far behind. */
  behindSince: number | undefined;
}

/** What every page is told about the settings. */
export type PageSettings = Pick<Update, "showText" | "action">;

/** The open pages. The inbox is watched only while there is one. */
export class Pages {
  /** Updates that were not sent because a page was too far behind, and pages that were closed for it. */
  skipped = 0;
  dropped = 0;
  private readonly inbox: Inbox;
  private readonly clock: Clock;
  private readonly runs: FollowedRuns;
  private readonly settings: PageSettings;
  private readonly pages = new Set<Page>();
  private watch: Watch | undefined;
  private emptySince: number | undefined;
  private timer: Timer | undefined;

  constructor(inbox: Inbox, clock: Clock, runs: FollowedRuns, settings: PageSettings) {
    this.inbox = inbox;
    this.clock = clock;
    this.runs = runs;
    this.settings = settings;
  }

  /** How many pages are open. */
  get size(): number {
    return this.pages.size;
  }

  /** Whether the inbox is being watched. */
  get watching(): boolean {
    return this.watch !== undefined;
  }

  /** Streams updates to `response` until it closes. */
  open(response: ServerResponse): void {
    if (this.pages.size >= MAX_PAGES) return reply(response, 503, "Too many pages are open.");
    if (!beginEventStream(response)) return;
    this.watch ??= new Watch(this.inbox, this.clock, this.runs);
    this.emptySince = undefined;
    const page: Page = { response, seen: { live: 0, settled: 0, samples: 0 }, behindSince: undefined };
    this.pages.add(page);
    response.on("close", () => {
      this.pages.delete(page);
      if (this.pages.size === 0) this.emptySince = this.clock.now();
    });
    this.send(this.watch, page, this.watch.shared());
    this.timer ??= startTimer(this.clock, this.watch.pauseMs, () => this.tick());
  }

  close(): void {
    for (const { response } of this.pages) response.end();
    this.pages.clear();
    this.stopWatching();
  }

  private tick(): void {
    this.timer = undefined;
    const { watch, emptySince } = this;
    if (watch === undefined) return;
    if (emptySince !== undefined && this.clock.now() - emptySince >= LINGER_MS) return this.stopWatching();
    this.timer = startTimer(this.clock, watch.pauseMs, () => this.tick());
    if (!watch.takeChange() || this.pages.size === 0) return;
    const shared = watch.shared();
    for (const page of this.pages) {
      if (page.response.writableLength < MAX_BEHIND_BYTES) this.send(watch, page, shared);
      else this.skip(page, shared.at);
    }
  }

  private send(watch: Watch, page: Page, shared: SharedUpdate): void {
    page.behindSince = undefined;
    const update: Update = { ...watch.updateFor(shared, page.seen), ...this.settings };
    page.response.write(`event: update\ndata: ${JSON.stringify(update)}\n\n`);
  }

  private skip(page: Page, now: number): void {
    this.skipped += 1;
    page.behindSince ??= now;
    if (now - page.behindSince < MAX_BEHIND_MS) return;
    this.dropped += 1;
    page.response.destroy();
  }

  private stopWatching(): void {
    this.watch?.close();
    this.watch = undefined;
    this.timer?.cancel();
    this.timer = undefined;
  }
}
