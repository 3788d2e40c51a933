import { unseenInEvent } from "../protocol/drift.ts";
import { fields } from "../protocol/fields.ts";
import type { Report } from "../report/report.ts";

/** The most names that an inbox reports. */
const MAX_TOLD = 100;
/** The first deltas are checked, and then one of this many. Thousands come in a second, and all have the same fields. */
const DELTAS = 64;

/** Reports what a Gateway sends that no tested version has sent: only names, each once. */
export class DriftWatch {
  private readonly report: Pick<Report, "drifted">;
  private readonly told = new Set<string>();
  private deltas = 0;
  /** The Gateway of the current event. */
  private gateway = "";

  constructor(report: Pick<Report, "drifted">) {
    this.report = report;
  }

  look(gateway: string, event: string, payload: unknown): void {
    if (this.told.size >= MAX_TOLD) return;
    try {
      if (event === "chat" && fields(payload)["state"] === "delta") {
        this.deltas += 1;
        if (this.deltas > DELTAS && this.deltas % DELTAS !== 0) return;
      }
      this.gateway = gateway;
      unseenInEvent(event, payload, this.tell);
    } catch {
      // An object that a host parsed may have getters that throw. The pipeline rejects it.
    }
  }

  private readonly tell = (what: string, name: string): void => {
    const { gateway, told, report } = this;
    const key = `${gateway}\u0000${what}\u0000${name}`;
    if (told.has(key) || told.size >= MAX_TOLD) return;
    told.add(key);
    report.drifted(gateway, what, name, told.size >= MAX_TOLD);
  };
}
