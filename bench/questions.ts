import { measureBurst } from "./burst.ts";
import { measureDistinct } from "./distinct.ts";
import { measureDurable } from "./durable.ts";
import { measureInspection } from "./inspection.ts";
import { measureLatency } from "./latency.ts";
import { measureLoading } from "./loading.ts";
import { measureLongReply } from "./long-replies.ts";
import { measureMemory } from "./memory.ts";
import { measureSockets } from "./sockets.ts";
import { measureSpawn } from "./spawn.ts";
import { measureThroughput } from "./throughput.ts";

/** Everything that is measured in its own process. */
export const questions = {
  throughput: measureThroughput,
  spawn: measureSpawn,
  sockets: measureSockets,
  memory: measureMemory,
  latency: measureLatency,
  inspection: measureInspection,
  longReply: measureLongReply,
  distinct: measureDistinct,
  durable: measureDurable,
  burst: measureBurst,
  loading: measureLoading,
};
