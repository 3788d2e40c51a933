import { type Counter, counters, type InboxStats } from "../report/counters.ts";
import type { LinkState, LinkStatus } from "../types.ts";

/** The default prefix of every metric's name. */
export const DEFAULT_PREFIX = "openclaw_inbox_";

/** One value of a metric with its labels. It never holds a run id, a session key or a text. */
export interface MetricValue {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** One metric; its name is without the prefix. */
export interface Metric {
  readonly name: string;
  readonly type: "counter" | "gauge";
  readonly help: string;
  readonly labelNames: readonly string[];
}

/** Where metrics are read from. An `Inbox` fits. */
export interface Counted {
  stats(): InboxStats;
  links(): readonly LinkStatus[];
}

const linkStates: readonly LinkState[] = ["offline", "connecting", "recovering", "live", "paused"];
const links: Metric = {
  name: "links",
  type: "gauge",
  help: "Links to each Gateway, by their state.",
  labelNames: ["gateway", "state"],
};

const entries = Object.entries(counters) as [keyof InboxStats, Counter][];
const names = [...new Set(entries.map(([, { metric }]) => metric))];

/** All metrics but the histogram. */
export const metrics: readonly Metric[] = [...names.map(metricOf), links];

function metricOf(name: string): Metric {
  const [, { help, labels = {} }] = entries.find(([, { metric }]) => metric === name) as [keyof InboxStats, Counter];
  return { name, type: name.endsWith("_total") ? "counter" : "gauge", help, labelNames: Object.keys(labels) };
}

/** The current values of a metric. */
export function valuesOf(metric: Metric, inbox: Counted): readonly MetricValue[] {
  if (metric === links) return linkValues(inbox.links());
  const stats = inbox.stats();
  return entries
    .filter(([, counter]) => counter.metric === metric.name)
    .map(([name, { labels = {} }]) => ({ labels, value: stats[name] }));
}

function linkValues(statuses: readonly LinkStatus[]): readonly MetricValue[] {
  const gateways = [...new Set(statuses.map(({ gateway }) => gateway))];
  return gateways.flatMap((gateway) =>
    linkStates.map((state) => ({
      labels: { gateway, state },
      value: statuses.filter((link) => link.gateway === gateway && link.state === state).length,
    })),
  );
}

/** The only histogram: how long it takes until messages are delivered. */
export const deliverySeconds = {
  name: "delivery_seconds",
  help: "From the end of a run to the handler's success.",
  /** Upper bounds, in seconds. */
  buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800],
} as const;
