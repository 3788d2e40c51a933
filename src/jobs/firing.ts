import type { Claim, CronJob } from "./job.ts";

/**
 * What was heard of a job that was due: words, a failure, an end without words, or an end without words in whose place
 * the agent has said nothing at all (a token of silence is kept out of sight).
 */
export type Answer = "spoke" | "failed" | "empty" | "nothing";

/** One time that a job is due, from then on until it has answered or its time is up. */
export class Firing {
  /** By the Gateway's clock, in ms since the epoch. */
  readonly due: number;
  /** When the job had run last before. */
  readonly lastRunAt: number | undefined;
  /** What the Gateway said when it ended. */
  claim: Claim | undefined;
  /** The job is gone after this one. */
  isLast = false;
  private readonly heard = new Set<Answer>();
  private deadline: number;
  private hasStarted = false;
  private isRunning = false;
  /** Part of it was not heard: the Gateway's word counts. */
  private wasMissed = false;
  private sharedUntil = Number.POSITIVE_INFINITY;

  /** `deadline`: in ms of the watch's own time, as all times but `due`. */
  constructor(due: number, lastRunAt: number | undefined, deadline: number) {
    this.due = due;
    this.lastRunAt = lastRunAt;
    this.deadline = deadline;
  }

  get isStarted(): boolean {
    return this.hasStarted;
  }

  /** Whether the Gateway has told how it ended. */
  get isOver(): boolean {
    return this.claim !== undefined && !this.isRunning;
  }

  /** The same, or nobody was there to be told. */
  get mayHaveEnded(): boolean {
    return this.isOver || (this.hasStarted && this.wasMissed);
  }

  start(): void {
    this.hasStarted = true;
    this.isRunning = true;
  }

  /** It runs no more, however it ended. */
  stopRunning(): void {
    this.isRunning = false;
  }

  /** `sharedUntil`: until when what is heard in a session of others may be of it. `deadline`: not before then is its time up. */
  end(claim: Claim, sharedUntil: number, deadline: number): void {
    this.hasStarted = true;
    this.isRunning = false;
    this.claim = claim;
    this.sharedUntil = sharedUntil;
    this.allow(deadline);
  }

  /** The connection was lost in the middle of it. */
  miss(): void {
    if (this.claim === undefined) this.wasMissed = true;
  }

  /** Its time is up at `deadline`, or later. */
  allow(deadline: number): void {
    this.deadline = Math.max(this.deadline, deadline);
  }

  isOverdue(now: number): boolean {
    return now >= this.deadline;
  }

  /** Whether what is heard now in a session of others may be of it. */
  mayHear(now: number): boolean {
    return this.hasStarted && now <= this.sharedUntil;
  }

  hear(answer: Answer): void {
    this.heard.add(answer);
  }

  /** Whether there were words or a failure: nothing that is heard later changes that. */
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

  /** Why it is no answer, in words for a person, without any of the agent's or of the job's. */
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
