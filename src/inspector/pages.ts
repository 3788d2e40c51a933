import type { ServerResponse } from "node:http";
import type { Inbox } from "../inbox-api.ts";
import type { Clock } from "../kit/clock.ts";
import { startTimer, type Timer } from "../kit/timer.ts";
import { beginEventStream, reply } from "./loopback.ts";
import { type Seen, type SharedUpdate, Watch } from "./watch.ts";
import type { RunDetails, Update } from "./wire.ts";

/** How long the inbox is watched on after the last page has gone, in ms: a reload finds what it left. */
const LINGER_MS = 30_000;
/** Pages that may be open at once. */
const MAX_PAGES = 16;
/** A page that is this far behind, in bytes, is sent nothing until it has caught up. */
const MAX_BEHIND_BYTES = 1_048_576;

interface Page {
  readonly response: ServerResponse;
  readonly seen: Seen;
}

/** The pages that are open. The inbox is watched only while there is one. */
export class Pages {
  private readonly inbox: Inbox;
  private readonly clock: Clock;
  private readonly showText: boolean;
  private readonly pages = new Set<Page>();
  private watch: Watch | undefined;
  private emptySince: number | undefined;
  private timer: Timer | undefined;

  constructor(inbox: Inbox, clock: Clock, showText: boolean) {
    this.inbox = inbox;
    this.clock = clock;
    this.showText = showText;
  }

  /** Streams updates to `response` until it closes. */
  open(response: ServerResponse): void {
    if (this.pages.size >= MAX_PAGES) return reply(response, 503, "Too many pages are open.");
    if (!beginEventStream(response)) return;
    this.watch ??= new Watch(this.inbox, this.clock, this.showText);
    this.emptySince = undefined;
    const page = { response, seen: { live: 0, settled: 0, dead: 0, samples: 0 } };
    this.pages.add(page);
    response.on("close", () => {
      this.pages.delete(page);
      if (this.pages.size === 0) this.emptySince = this.clock.now();
    });
    this.send(this.watch, page, this.watch.shared());
    this.timer ??= startTimer(this.clock, this.watch.pauseMs, () => this.tick());
  }

  /** Whether the inbox is being watched. */
  get watching(): boolean {
    return this.watch !== undefined;
  }

  details(id: number): RunDetails | undefined {
    return this.watch?.details(id);
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
    }
  }

  private send(watch: Watch, { response, seen }: Page, shared: SharedUpdate): void {
    const update: Update = watch.updateFor(shared, seen);
    response.write(`event: update\ndata: ${JSON.stringify(update)}\n\n`);
  }

  private stopWatching(): void {
    this.watch?.close();
    this.watch = undefined;
    this.timer?.cancel();
    this.timer = undefined;
  }
}
