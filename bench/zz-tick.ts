import { createInbox } from "../src/index.ts";
import { Watch } from "../src/inspector/watch.ts";
import { systemClock } from "../src/clock.ts";
const inbox = createInbox({});
for (let r = 0; r < 10_000; r++) inbox.handle({ runId: `run-${r}`, sessionKey: `agent:main:collavre:42:creative:100:topic:${r}`, seq: 1, state: "delta", deltaText: "Hello" });
const watch = new Watch(inbox, systemClock, false);
const seen = { settled: 0, dead: 0, samples: 0 };
let seq = 1;
function tell(n: number) { const t = process.hrtime.bigint(); for (let i = 0; i < n; i++) inbox.handle({ runId: `run-${i % 10000}`, sessionKey: "x", seq: ++seq, state: "delta", deltaText: "Hello" }); return Number(process.hrtime.bigint() - t) / n / 1000; }
function tick(n: number) { const t = process.hrtime.bigint(); let bytes = 0; for (let i = 0; i < n; i++) { bytes += JSON.stringify(watch.updateFor(watch.shared(), seen)).length; } return [Number(process.hrtime.bigint() - t) / n / 1000, bytes / n]; }
for (let i = 0; i < 4; i++) { console.log("event us watched", tell(20000).toFixed(2), "tick us, bytes", tick(200)); }
watch.close();
for (let i = 0; i < 3; i++) console.log("event us unwatched", tell(20000).toFixed(2));
process.exit(0)
