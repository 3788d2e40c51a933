import type { Claim, CronJob } from "./job.ts";

/**
 * What was heard from a job that was due. `"spoke"`: words. `"failed"`: a failure. `"empty"`: an end without words.
 * `"nothing"`: an end without words where the agent has said nothing at all; a token of silence counts as `"empty"`,
 * because the Gateway hides it.
 */
export type Answer = "spoke" | "failed" | "empty" | "nothing";

/** One time that a job is due, from then until it has answered or its time is over. */
export class Firing {
  /** When it is due, in ms since the epoch by the Gateway's clock. */
  readonly due: number;
  /** When the job last ran before that. */
  readonly lastRunAt: number | undefined;
  /** What the Gateway said when it ended. */
  claim: Claim | undefined;
  /** The job is deleted after this time. */
  isLast = false;
  private readonly heard = new Set<Answer>();
  private deadline: number;
  private hasStarted = false;
  private isRunning = false;
  /** A part was not heard, so the Gateway's word counts. */
  private wasMissed = false;
  private sharedUntil = Number.POSITIVE_INFINITY;

  /** `deadline` is in ms of the watch's own time, like all times except `due`. */
  constructor(due: number, lastRunAt: number | undefined, deadline: number) {
    this.due = due;
    this.lastRunAt = lastRunAt;
    this.deadline = deadline;
  }

  get isStarted(): boolean {
    return this.hasStarted;
  }

  /** Whether the Gateway has said how it ended. */
  get isOver(): boolean {
    return this.claim !== undefined && !this.isRunning;
  }

  /** The same, or it may have ended while we were not connected. */
  get mayHaveEnded(): boolean {
    return this.isOver || (this.hasStarted && this.wasMissed);
  }

  start(): void {
    this.hasStarted = true;
    this.isRunning = true;
  }

  /** It does not run any longer, however it ended. */
  stopRunning(): void {
    this.isRunning = false;
  }

  /**
   * `sharedUntil`: until when words in a shared session may belong to it. `deadline`: its time is not over before then.
   */
  end(claim: Claim, sharedUntil: number, deadline: number): void {
    this.hasStarted = true;
    this.isRunning = false;
    this.claim = claim;
    this.sharedUntil = sharedUntil;
    this.allow(deadline);
  }

  /** The connection was lost while it ran. */
  miss(): void {
    if (this.claim === undefined) this.wasMissed = true;
  }

  /** Moves the deadline to `deadline`, unless it is later already. */
  allow(deadline: number): void {
    this.deadline = Math.max(this.deadline, deadline);
  }

  isOverdue(now: number): boolean {
    return now >= this.deadline;
  }

  /** Whether words that are heard now in a shared session may belong to it. */
  mayHear(now: number): boolean {
    return this.hasStarted && now <= this.sharedUntil;
  }

  hear(answer: Answer): void {
    this.heard.add(answer);
  }

  /** Whether there were words or a failure. Nothing later changes that. */
  get hasHeard(): boolean {
    return this.heard.has("spoke") || this.heard.has("failed");
  }

  isAnswered({ hasChannel }: CronJob): boolean {
    const { heard, claim } = this;
    if (heard.has("spoke")) return !(hasChannel && claim?.delivery === "not-delivered");
    if (heard.has("failed")) return true;
    if (heard.has("nothing")) return false;
    if (heard.has("empty")) return true;
    return (
      this.wasMissed &&
      claim?.status === "ok" &&
      claim.hasSummary &&
      !(hasChannel && claim.delivery === "not-delivered")
    );
  }

  /** Why it is not an answer, in words for a person, without any words of the agent or the job. */
  complaint(job: CronJob): string {
    const { claim, heard } = this;
    const due = `was due at ${new Date(this.due).toISOString()}`;
    if (!this.hasStarted) return `${due} and has not run`;
    const said =
      claim === undefined ? "the Gateway does not say how it ended" : `the Gateway says: ${claimText(claim)}`;
    const spoke = heard.has("spoke") && job.hasChannel;
    return `${due} and ${spoke ? "its words did not reach their channel" : "nothing was said"}; ${said}`;
  }
}

function claimText({ status, ranMs, delivery }: Claim): string {
  const ran = ranMs === undefined ? "" : ` after ${ranMs} ms`;
  return `${status}${ran}${delivery === undefined ? "" : `, ${delivery}`}`;
}
