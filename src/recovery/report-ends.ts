import { attachmentsOf } from "../protocol/attachments.ts";
import type { Report } from "../report/report.ts";
import type { Supervisor } from "../runs/supervisor.ts";
import type { ChatEvent, GatewayEvent } from "../types.ts";
import type { Generation } from "./generation.ts";
import { type EndedRun, textOf } from "./history/ended-runs.ts";

/** What {@link ReportEnds} needs. */
export interface ReportEndsOptions {
  readonly gateway: string;
  readonly owner?: string | undefined;
  readonly report: Pick<Report, "recovered">;
  readonly supervisor: Pick<Supervisor, "knows">;
  readonly generation: Generation;
  /** Sends an event down the one path. */
  readonly emit: (event: GatewayEvent) => void;
  /** Nothing is reported any more. */
  readonly stopped: AbortSignal;
}

/** Turns what was found back into chat events, unless their run has been heard to its end. */
export class ReportEnds {
  private readonly options: ReportEndsOptions;

  constructor(options: ReportEndsOptions) {
    this.options = options;
  }

  /** Whether nothing more can come of a run that ended in `state`. */
  isKnown(runId: string, state: EndedRun["state"]): boolean {
    const known = this.options.supervisor.knows(this.options.gateway, runId);
    return known === "settled" || (known === "unspoken" && state !== "final");
  }

  /**
   * Reports the end of a run. `sessionKey`: as live events name its session. `recovered`: it was missed, not just
   * told in another way. `agentId`: where the key does not say.
   */
  end(run: EndedRun, sessionKey: string, recovered: boolean, agentId?: string): void {
    const { runId, state, rows, origin, job, last } = run;
    if (this.isKnown(runId, state)) return;
    if (recovered) this.options.report.recovered();
    const known = {
      runId,
      sessionKey,
      ...(recovered && { recovered }),
      ...(origin !== undefined && { origin }),
      ...(job !== undefined && { job }),
      ...(last.at !== undefined && { writtenAt: last.at }),
    };
    const text = textOf(run, this.options.generation.joiner);
    if (state === "final" && rows.some(({ truncated }) => truncated)) {
      const errorMessage = "The Gateway does not give the text in full";
      return this.emit({ ...known, state: "error", errorMessage, errorKind: "truncated", messageText: text });
    }
    if (state !== "final") return this.emit({ ...known, state, messageText: text });
    const told = rows.flatMap((row) => row.attachments ?? []);
    const attachments = attachmentsOf(told, { gateway: this.options.gateway, sessionKey, runId, agentId });
    this.emit({ ...known, state, messageText: text, attachments });
  }

  /** Reports what a run that goes on has said so far. */
  progress({ runId, text }: { readonly runId: string; readonly text: string }, sessionKey: string): void {
    const known = this.options.supervisor.knows(this.options.gateway, runId);
    if (known === "settled" || known === "unspoken") return;
    // Of a hidden run the Gateway says nothing until its end: that must not wipe out anything.
    if (known === "live" && text === "") return;
    this.emit({ runId, state: "delta", sessionKey, deltaText: text, replace: true });
  }

  private emit(event: ChatEvent): void {
    const { gateway, owner, emit, stopped } = this.options;
    if (!stopped.aborted) emit({ gateway, ...(owner !== undefined && { owner }), event });
  }
}
