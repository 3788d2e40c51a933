import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import { assertKnownKeys, InboxError, optionError } from "../errors.ts";
import type { Inbox } from "../inbox-api.ts";
import { type Clock, systemClock } from "../kit/clock.ts";
import type { Session } from "../types.ts";
import { DEFAULT_PREFIX, deliverySeconds, type Metric, metrics, valuesOf } from "./metrics.ts";

/** Options of {@link registerMetrics}. */
export interface MetricsOptions {
  /**
   * The beginning of every name: letters, digits and `_`. Use a different prefix for each inbox of a registry. Default
   * `openclaw_inbox_`.
   */
  readonly prefix?: string;
  /** The inbox's clock, if the inbox was given one. Default: the system's. */
  readonly clock?: Clock;
}

/**
 * Adds the counters of an inbox to a `prom-client` registry. They are read when the registry is scraped. No label holds
 * a run id, a session key or a text. Returns a function that removes them.
 *
 * @example
 * import { register } from "prom-client";
 * registerMetrics(inbox, register);
 *
 * @throws {InboxError} `ERR_INBOX_OPTION` for a wrong option, or when the registry has a metric of that name.
 */
export function registerMetrics<S extends Session>(
  inbox: Inbox<S>,
  registry: Registry,
  options: MetricsOptions = {},
): () => void {
  const { prefix = DEFAULT_PREFIX, clock = systemClock } = options;
  assertOptions(options);
  const taken = [...metrics, deliverySeconds].find(({ name }) => registry.getSingleMetric(prefix + name));
  if (taken !== undefined) {
    const text = `Expected \`prefix\` to be one of its own for each inbox, there is a metric ${prefix}${taken.name} already`;
    throw new InboxError("ERR_INBOX_OPTION", text, { option: "prefix" });
  }
  for (const metric of metrics) register(metric, inbox as unknown as Inbox, registry, prefix);
  const { name, help, buckets } = deliverySeconds;
  const histogram = new Histogram({ name: prefix + name, help, buckets: [...buckets], registers: [registry] });
  const subscription = inbox.deliveries$.subscribe(({ status, message }) => {
    if (status === "delivered") histogram.observe((clock.now() - message.completedAt) / 1_000);
  });
  return () => {
    subscription.unsubscribe();
    for (const metric of [...metrics, deliverySeconds]) registry.removeSingleMetric(prefix + metric.name);
  };
}

function register(metric: Metric, inbox: Inbox, registry: Registry, prefix: string): void {
  const { type, name, help, labelNames } = metric;
  const configuration = { name: prefix + name, help, labelNames: [...labelNames], registers: [registry] };
  if (type === "gauge") {
    new Gauge({
      ...configuration,
      collect() {
        this.reset();
        for (const { labels, value } of valuesOf(metric, inbox)) this.set(labels, value);
      },
    });
    return;
  }
  new Counter({
    ...configuration,
    collect() {
      // The inbox counts. A prom-client counter can only be increased, so it is reset first.
      this.reset();
      for (const { labels, value } of valuesOf(metric, inbox)) this.inc(labels, value);
    },
  });
}

function assertOptions(options: MetricsOptions): void {
  assertKnownKeys("registerMetrics", options, ["prefix", "clock"]);
  const { prefix = DEFAULT_PREFIX } = options;
  if (typeof prefix !== "string" || !/^[a-zA-Z_]\w*$/.test(prefix))
    throw optionError("prefix", "a text of letters, digits and `_` that begins with no digit", prefix);
}
