import { createHash } from "node:crypto";
import type { Clock } from "../../kit/clock.ts";
import { ExpiringMap } from "../../kit/expiring-map.ts";
import type { Supervisor } from "../../runs/supervisor.ts";
import type { RunOutcome } from "../../types.ts";
import type { Generation } from "../generation.ts";
import { type EndedRun, textOf } from "./ended-runs.ts";

/** What {@link NamelessRuns} need. */
export interface NamelessRunsOptions {
  readonly gateway: string;
  readonly clock: Clock;
  readonly supervisor: Pick<Supervisor, "live">;
  readonly generation: Generation;
}

/** How long a text that was heard is remembered, for its row to come; and how many. */
const REMEMBERED_MS = 120_000;
const MAX_REMEMBERED = 20_000;

/**
 * Runs whose rows carry no run id, as Gateways before 2026.8 write them. They are matched with what was heard live
 * by their session and their text.
 */
export class NamelessRuns {
  private readonly options: NamelessRunsOptions;
  private readonly heard: ExpiringMap<true>;

  constructor(options: NamelessRunsOptions) {
    this.options = options;
    this.heard = new ExpiringMap({ windowMs: REMEMBERED_MS, maxKeys: MAX_REMEMBERED, clock: options.clock });
  }

  /** A run has been heard to its end. */
  hear(outcome: RunOutcome): void {
    if (this.options.generation.namesRuns) return;
    const { gateway, sessionKey, text } = outcome.status === "dispatched" ? outcome.message : outcome;
    if (gateway === this.options.gateway && sessionKey !== undefined) this.heard.set(keyOf(sessionKey, text), true);
  }

  /**
   * The run under the id by which it is heard live, if it is; undefined when it has been heard to its end. A run
   * whose rows name it is returned as it is.
   */
  identify(run: EndedRun, sessionKey: string): EndedRun | undefined {
    if (!run.nameless) return run;
    const { gateway, supervisor, generation } = this.options;
    const text = textOf(run, generation.joiner);
    if (this.heard.get(keyOf(sessionKey, text)) !== undefined) return undefined;
    const live = supervisor.live().find((one) => {
      const soFar = one.text.trim();
      return one.gateway === gateway && one.sessionKey === sessionKey && soFar !== "" && text.startsWith(soFar);
    });
    return live === undefined ? run : { ...run, runId: live.runId, nameless: false };
  }

  clear(): void {
    this.heard.clear();
  }
}

/** A hash: texts are long. */
function keyOf(sessionKey: string, text: string): string {
  return createHash("sha1").update(`${sessionKey}\u0000${text.trim()}`).digest("base64");
}
