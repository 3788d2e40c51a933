import type { InboxStats } from "../report/counters.ts";
import type { Activity, DeliveryOutcome, LinkState, LinkStatus, RunOutcome } from "../types.ts";
import { type MachineName, transitionId } from "./drawing.ts";
import type { StateCounts, Update } from "./wire.ts";

/** Counts how often each transition of the machines happens, by its name in the drawings. */
export class Transitions {
  private counts = noCounts();
  private deltasBefore: number;
  private readonly links = new Map<string, LinkState>();

  /** `deltas`: how many were applied before. */
  constructor(deltas: number) {
    this.deltasBefore = deltas;
  }

  /**
   * What was counted since the last call. `deltas`: how many were applied in all, since deltas are not reported one by
   * one.
   */
  take(deltas: number): Update["taken"] {
    const taken = this.counts;
    if (deltas > this.deltasBefore) taken.run[runDelta] = deltas - this.deltasBefore;
    this.counts = noCounts();
    this.deltasBefore = deltas;
    return taken;
  }

  activity(activity: Activity): void {
    if (activity.kind === "retry") {
      this.count("delivery", deliveryFailed);
    } else if (activity.kind === "attempt" && activity.attempt > 1) {
      this.count("delivery", deliveryAgain);
    }
  }

  outcome(outcome: RunOutcome): void {
    this.count("run", runEnd(outcome));
  }

  delivery({ status }: DeliveryOutcome): void {
    this.count("delivery", status === "delivered" ? deliverySucceeded : deliveryHopeless);
  }

  /** The states of the links when the watching begins. */
  linksAre(links: readonly LinkStatus[]): void {
    for (const link of links) this.links.set(linkKey(link), link.state);
  }

  link(link: LinkStatus): void {
    const from = this.links.get(linkKey(link)) ?? "offline";
    this.links.set(linkKey(link), link.state);
    this.count("link", linkTransition(from, link.state));
  }

  private count(machine: MachineName, transition: string): void {
    const counts = this.counts[machine];
    counts[transition] = (counts[transition] ?? 0) + 1;
  }
}

function noCounts(): Record<MachineName, Record<string, number>> {
  return { run: {}, delivery: {}, link: {} };
}

function linkKey({ gateway, owner = "" }: LinkStatus): string {
  return `${gateway}\u0000${owner}`;
}

const runDelta = transitionId("buffering", "delta", "buffering");
const deliverySucceeded = transitionId("attempting", "succeeded", "delivered");
const deliveryHopeless = transitionId("attempting", "failed [hopeless]", "dead");
const deliveryFailed = transitionId("attempting", "failed", "waiting");
const deliveryAgain = transitionId("waiting", "after backoff", "attempting");

/** The transition that ended a run. */
export function runEnd(outcome: RunOutcome): string {
  return outcome.status === "discarded" ? discards[outcome.reason] : ends[outcome.status];
}

const ends = {
  dispatched: transitionId("buffering", "final", "dispatched"),
  errored: transitionId("buffering", "error", "errored"),
  aborted: transitionId("buffering", "aborted", "aborted"),
  expired: transitionId("buffering", "after ttl", "expired"),
};

const discards = {
  empty: transitionId("buffering", "final [blank]", "discarded"),
  unroutable: transitionId("buffering", "final [notOurs]", "discarded"),
  declined: transitionId("buffering", "final [notOurs]", "discarded"),
  solicited: transitionId("buffering", "discard", "discarded"),
  relocated: transitionId("buffering", "discard", "discarded"),
  subagent: transitionId("buffering", "discard", "discarded"),
};

/** The transition that a link made. Where several are possible, the most likely one. */
export function linkTransition(from: LinkState, to: LinkState): string {
  if (to === "offline" && from === "paused") return transitionId("any", "ended", to);
  return transitionId(from, linkEvents[to], to);
}

const linkEvents = {
  offline: "lost",
  connecting: "connect",
  recovering: "hello",
  live: "recovered",
  paused: "refused",
} as const;

/** How many are in each state: now, or for final states since the inbox was created. */
export function stateCounts(stats: InboxStats, links: readonly LinkStatus[]): StateCounts {
  const { liveRuns, dispatched, discarded, errored, aborted, expired, attempting, waiting, delivered, dead } = stats;
  const link: Record<string, number> = { offline: 0, connecting: 0, recovering: 0, live: 0, paused: 0 };
  for (const { state } of links) link[state] = (link[state] ?? 0) + 1;
  return {
    run: { buffering: liveRuns, dispatched, discarded, errored, aborted, expired },
    delivery: { attempting, waiting, delivered, dead },
    link,
  };
}
