import { createHash } from "node:crypto";
import type { Clock } from "../../kit/clock.ts";
import { ExpiringMap } from "../../kit/expiring-map.ts";
import type { Ledger } from "../../ledger/ledger.ts";
import type { SessionRow } from "../../protocol/transcript-row.ts";
import type { Supervisor } from "../../runs/supervisor.ts";
import type { RunOutcome } from "../../types.ts";
import type { Generation } from "../generation.ts";
import { type EndedRun, namelessRunId, textOf } from "./ended-runs.ts";

/** What {@link NamelessRuns} need. */
export interface NamelessRunsOptions {
  readonly gateway: string;
  readonly clock: Clock;
  readonly supervisor: Pick<Supervisor, "live">;
  readonly generation: Generation;
  readonly ledger: Pick<Ledger, "solicit">;
}

/** How long a heard text is remembered until its row comes, in ms, and the most texts. */
const REMEMBERED_MS = 120_000;
const MAX_REMEMBERED = 20_000;
/** How long the ledger remembers which rows were heard as a run, in ms: as long as it remembers the run. */
const KNOWN_MS = 86_400_000;
/** How many characters at its end identify a row as the end of a text. */
const END_CHARS = 100;

/** Runs whose rows have no run id, as before 2026.8. They are matched with live runs by session and text. */
export class NamelessRuns {
  private readonly options: NamelessRunsOptions;
  private readonly heard: ExpiringMap<true>;
  /** The ends of the texts of dispatched runs. */
  private readonly dispatchedTexts: ExpiringMap<string>;
  /** The last rows of runs that are not dispatched yet. */
  private readonly lastRows: ExpiringMap<{ readonly id: string; readonly end: string }>;

  constructor(options: NamelessRunsOptions) {
    this.options = options;
    const limits = { windowMs: REMEMBERED_MS, maxKeys: MAX_REMEMBERED, clock: options.clock };
    this.heard = new ExpiringMap(limits);
    this.dispatchedTexts = new ExpiringMap(limits);
    this.lastRows = new ExpiringMap(limits);
  }

  /** The end of a run has been heard. */
  hear(outcome: RunOutcome): void {
    if (this.options.generation.namesRuns) return;
    const { gateway, sessionKey, text } = outcome.status === "dispatched" ? outcome.message : outcome;
    if (gateway !== this.options.gateway) return;
    if (sessionKey !== undefined) this.heard.set(keyOf(sessionKey, text), true);
    if (outcome.status !== "dispatched") return;
    const { runId } = outcome.message;
    this.dispatchedTexts.set(runId, endOf(text));
    const row = this.lastRows.get(runId);
    if (row !== undefined) this.know(runId, row);
  }

  /**
   * A row belongs to a live run. The history has it without a run id. After a crash only the ledger knows that it was
   * dispatched, so the ledger is told at once.
   */
  hearRow(runId: string, { kind, id, text }: SessionRow): void {
    if (this.options.generation.namesRuns || kind !== "reply" || id === undefined) return;
    const row = { id, end: endOf(text) };
    if (this.dispatchedTexts.get(runId) === undefined) this.lastRows.set(runId, row);
    else this.know(runId, row);
  }

  private know(runId: string, { id, end }: { readonly id: string; readonly end: string }): void {
    const { ledger, clock } = this.options;
    const isSaid = end !== "" && this.dispatchedTexts.get(runId)?.endsWith(end) === true;
    if (isSaid) void ledger.solicit(namelessRunId(id), clock.now() + KNOWN_MS);
  }

  /**
   * The run with the id of the live run it belongs to, if there is one. Undefined when its end has been heard. A run
   * whose rows have its id is returned unchanged.
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
    this.dispatchedTexts.clear();
    this.lastRows.clear();
  }
}

/** Copied, because a slice keeps the whole text in memory. */
function endOf(text: string): string {
  return structuredClone(text.trimEnd().slice(-END_CHARS));
}

/** A hash, because texts are long. */
function keyOf(sessionKey: string, text: string): string {
  return createHash("sha1").update(`${sessionKey}\u0000${text.trim()}`).digest("base64");
}
