export { type MetricsOptions, registerMetrics } from "./prom-client.ts";
