import { once } from "node:events";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { filter, firstValueFrom, take, toArray } from "rxjs";
import { createInbox } from "../src/index.ts";
import { startPeer } from "./peer.ts";

/** What to measure in one process: an outage in which every Gateway says so many messages, in so many sessions. */
export interface BurstTask {
  readonly gateways: number;
  readonly sessions: number;
  readonly messages: number;
  /** Characters of a message. Beyond 16 MiB of text in one session an inbox leaves out the oldest. */
  readonly chars: number;
}

/** From the first Gateway's hello after the outage until all is delivered and every link is live. */
export interface Burst {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly requests: number;
  /** The longest that the event loop was kept, in ms, other processes' work included. */
  readonly longestMs: number;
  /** How much the process grew at most, in MiB. */
  readonly grownMib: number;
}

export const burstKey = (session: number) => `agent:main:session-${session}`;

/** No two messages have the same. */
export const burstText = (gateway: number, message: number, chars: number) =>
  `${gateway} ${message} `.padEnd(chars, "words and ").trim();

export async function measureBurst(task: BurstTask): Promise<Burst> {
  const { gateways, sessions, messages, chars } = task;
  const peer = startPeer("./burst-peer.js", JSON.stringify(task));
  const [line] = (await once(peer.stdout, "data")) as [Buffer];
  const urls = JSON.parse(String(line)) as string[];
  const textsOf = (place: number) => Array.from({ length: messages }, (_, i) => burstText(place, i, chars));
  const expected = new Set(urls.flatMap((_, place) => textsOf(place)));
  const inbox = createInbox({
    gateway: urls.map((url, place) => ({ url, token: "bench", name: `gateway-${place}` })),
    maxSessions: sessions,
    maxHistoryRows: Math.max(1_000, 2 * (messages / sessions)),
    maxPending: gateways * messages * 2,
    deliver({ text, recovered }) {
      if (!recovered || !expected.delete(text)) throw new Error("A message that nobody said, or one said before");
    },
  });
  await inbox.start();
  const states = inbox.links$.pipe(filter(({ state }) => state === "recovering" || state === "live"));
  const begun = firstValueFrom(states);
  const live = firstValueFrom(
    states.pipe(
      filter(({ state }) => state === "live"),
      take(gateways),
      toArray(),
    ),
  );
  peer.stdin.write("now\n");
  await begun;
  const before = inbox.stats().recoveryRequests;
  const begin = performance.now();
  const cpu = process.cpuUsage();
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  const rss = process.memoryUsage.rss();
  let most = rss;
  const sampling = setInterval(() => {
    most = Math.max(most, process.memoryUsage.rss());
  }, 20);
  await live;
  while (inbox.stats().pending > 0) await new Promise((resolve) => setImmediate(resolve));
  const seconds = (performance.now() - begin) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  clearInterval(sampling);
  delay.disable();
  const { recoveryRequests, dead } = inbox.stats();
  if (expected.size > 0 || dead > 0) throw new Error(`${expected.size} messages are missing, ${dead} are dead`);
  peer.stdin.end();
  await once(peer, "exit");
  await inbox.stop({ drainMs: 0 });
  return {
    seconds,
    cpuSeconds: (user + system) / 1e6,
    requests: recoveryRequests - before,
    longestMs: delay.max / 1e6,
    grownMib: (most - rss) / 2 ** 20,
  };
}
