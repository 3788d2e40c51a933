import type { Report } from "../report/report.ts";
import type { Supervisor } from "../runs/supervisor.ts";
import type { RoutedEvent } from "../types.ts";
import type { EndedRun } from "./history/ended-runs.ts";

/** What a {@link Teller} needs. */
export interface TellerOptions {
  readonly gateway: string;
  readonly owner?: string | undefined;
  readonly report: Pick<Report, "recovered">;
  readonly supervisor: Pick<Supervisor, "knows">;
  /** Sends an event down the one path. */
  readonly emit: (event: RoutedEvent) => void;
}

/** Turns what was found back into chat events, unless their run has been heard to its end. */
export class Teller {
  private readonly options: TellerOptions;

  constructor(options: TellerOptions) {
    this.options = options;
  }

  /** Whether nothing more can come of a run that ended in `state`. */
  isKnown(runId: string, state: EndedRun["state"]): boolean {
    const known = this.options.supervisor.knows(this.options.gateway, runId);
    return known === "settled" || (known === "unspoken" && state !== "final");
  }

  /** Tells the end of a run. `recovered`: it was missed, not just told in another way. */
  tell(run: EndedRun, sessionKey: string, recovered: boolean): void {
    const { runId, state, text, origin, truncated } = run;
    if (this.isKnown(runId, state)) return;
    if (recovered) this.options.report.recovered();
    const known = { runId, sessionKey, ...(recovered && { recovered }), ...(origin !== undefined && { origin }) };
    if (truncated) {
      const errorMessage = "The Gateway does not give the text in full";
      return this.emit({ ...known, state: "error", errorMessage, errorKind: "truncated" });
    }
    this.emit({ ...known, state, messageText: text });
  }

  /** Tells what a run that goes on has said so far. */
  tellSoFar({ runId, text }: { readonly runId: string; readonly text: string }, sessionKey: string): void {
    const known = this.options.supervisor.knows(this.options.gateway, runId);
    if (known === "settled" || known === "unspoken") return;
    // Of a hidden run the Gateway says nothing until its end: that must not wipe out anything.
    if (known === "live" && text === "") return;
    this.emit({ runId, state: "delta", sessionKey, deltaText: text, replace: true });
  }

  private emit(event: RoutedEvent["event"]): void {
    const { gateway, owner, emit } = this.options;
    emit({ gateway, ...(owner !== undefined && { owner }), event });
  }
}
