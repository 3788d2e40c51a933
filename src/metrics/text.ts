import type { Subscription } from "rxjs";
import type { Inbox } from "../inbox-api.ts";
import type { Clock } from "../kit/clock.ts";
import { DEFAULT_PREFIX, deliverySeconds, metrics, valuesOf } from "./metrics.ts";

/** The counters of an inbox, in the text format of Prometheus. */
export interface MetricsText {
  /** The current metrics as text. The histogram starts with the first call, so that it costs nothing before. */
  render(): string;
  close(): void;
}

export function createMetricsText(inbox: Inbox, clock: Clock): MetricsText {
  const perBucket: number[] = [...deliverySeconds.buckets, 0].fill(0);
  let sum = 0;
  let subscription: Subscription | undefined;

  function observe(seconds: number): void {
    const index = deliverySeconds.buckets.findIndex((bound) => seconds <= bound);
    const bucket = index < 0 ? perBucket.length - 1 : index;
    perBucket[bucket] = (perBucket[bucket] ?? 0) + 1;
    sum += seconds;
  }

  return {
    render() {
      subscription ??= inbox.deliveries$.subscribe(({ status, message }) => {
        if (status === "delivered") observe((clock.now() - message.completedAt) / 1_000);
      });
      const lines = metrics.flatMap((metric) => [
        ...header(metric.name, metric.help, metric.type),
        ...valuesOf(metric, inbox).map(({ labels, value }) => line(metric.name, labels, value)),
      ]);
      return `${[...lines, ...histogram(perBucket, sum)].join("\n")}\n`;
    },
    close: () => subscription?.unsubscribe(),
  };
}

function header(name: string, help: string, type: string): readonly string[] {
  return [`# HELP ${DEFAULT_PREFIX}${name} ${help}`, `# TYPE ${DEFAULT_PREFIX}${name} ${type}`];
}

function line(name: string, labels: Readonly<Record<string, string>>, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text)}"`);
  return `${DEFAULT_PREFIX}${name}${pairs.length === 0 ? "" : `{${pairs.join(",")}}`} ${value}`;
}

function escaped(label: string): string {
  return label.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

function histogram(perBucket: readonly number[], sum: number): readonly string[] {
  const { name, help, buckets } = deliverySeconds;
  let count = 0;
  const lines = perBucket.map((inBucket, index) => {
    count += inBucket;
    return line(`${name}_bucket`, { le: String(buckets[index] ?? "+Inf") }, count);
  });
  return [...header(name, help, "histogram"), ...lines, line(`${name}_sum`, {}, sum), line(`${name}_count`, {}, count)];
}
