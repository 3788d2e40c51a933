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
  /** When it is aborted, nothing is reported any longer. */
  readonly stopped: AbortSignal;
}

/** Makes chat events of runs that were found, unless their ends have been heard. */
export class ReportEnds {
  private readonly options: ReportEndsOptions;

  constructor(options: ReportEndsOptions) {
    this.options = options;
  }

  /** Whether a run that ended in `state` needs no further report. */
  isKnown(runId: string, state: EndedRun["state"]): boolean {
    const known = this.options.supervisor.knows(this.options.gateway, runId);
    return known === "settled" || (known === "unspoken" && state !== "final");
  }

  /**
   * Reports the end of a run. `sessionKey` is the key that live events have. `recovered`: the end was missed, and not
   * only reported in another way. `agentId` is given when the key names no agent.
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

  /** Reports what a run in progress has said so far. */
  progress({ runId, text }: { readonly runId: string; readonly text: string }, sessionKey: string): void {
    const known = this.options.supervisor.knows(this.options.gateway, runId);
    if (known === "settled" || known === "unspoken") return;
    // The Gateway returns no text of a hidden run before its end. That must not delete the text we have.
    if (known === "live" && text === "") return;
    this.emit({ runId, state: "delta", sessionKey, deltaText: text, replace: true });
  }

  private emit(event: ChatEvent): void {
    const { gateway, owner, emit, stopped } = this.options;
    if (!stopped.aborted) emit({ gateway, ...(owner !== undefined && { owner }), event });
  }
}
