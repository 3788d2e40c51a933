import { pino } from "pino";
import type { Deliver } from "../../src/delivery/deliver.ts";
import { createInbox } from "../../src/index.ts";
import { createSqliteLedger } from "../../src/ledger/sqlite/sqlite.ts";
import { sayLast } from "../helpers/child.ts";
import { death, type Point, planned } from "./death.ts";
import { createDoneIds, openEffects } from "./effects.ts";
import { digestOf, GATEWAY } from "./emitter.ts";
import { hastyClock } from "./hasty-clock.ts";
import { connectPostgres } from "./postgres.ts";
import { connectQueue } from "./queue.ts";
import { createRandom, hashOf } from "./random.ts";

/** What one life of a host is told. */
export interface HostOptions {
  readonly url: string;
  readonly token: string;
  readonly folder: string;
  readonly life: string;
  readonly ledger: string;
  readonly seed: number;
  /** The handler looks up what other lives did: it is idempotent on `message.id`. Without it, every repeat shows. */
  readonly idempotent: boolean;
  /** How likely a call of the handler fails, up to the third attempt. */
  readonly failRate: number;
  readonly retainMs: number;
  /** Prunes 600 times as often as in life. */
  readonly hasty: boolean;
  /** Say each change of state, as JSON lines on stderr. */
  readonly log: boolean;
  /** Where this process ends itself, at the `after`-th time it comes there. */
  readonly die?: { readonly point: Point; readonly after: number };
  /** The ledger is in this Postgres. */
  readonly postgres?: {
    readonly url: string;
    readonly schema: string;
    readonly transactional: boolean;
    /** Whether the server is stopped, so that there are alarms. */
    readonly halts: boolean;
  };
  /** Messages go through BullMQ, and the handler is its worker. */
  readonly redis?: { readonly url: string; readonly queue: string };
}

/** What a host says to the checker. */
export type HostWord =
  | { readonly said: "open" }
  | { readonly said: "ready" }
  | { readonly said: "alarm"; readonly error: string }
  | { readonly said: "stopped"; readonly stats: Readonly<Record<string, number>> };

/** How long an attempt may take: short, so that a handler that hangs is soon given up. */
const TIMEOUT_MS = 500;

const options = JSON.parse(process.argv[2] as string) as HostOptions;
const { folder, life, seed, die } = options;
const say = (word: HostWord) => process.send?.(word);
const effects = openEffects(folder, life);
const doneElsewhere = createDoneIds(folder, life);
const clock = options.hasty ? hastyClock(die) : undefined;

/** Fails or hangs now and then, by the seed, up to its third attempt; else has its effect, once. */
async function handle(id: string, text: string, attempt: number, signal?: AbortSignal): Promise<void> {
  effects.write("start", id);
  const random = createRandom(hashOf(`${seed} ${id} ${attempt}`));
  const fails = attempt < 3 && random.chance(options.failRate);
  if (random.chance(0.2)) await new Promise((resolve) => setTimeout(resolve, random.below(5)));
  if (fails && signal !== undefined && random.chance(0.1)) await new Promise(() => {});
  if (fails) throw new Error("not now");
  // Whoever is told that it took too long must not have an effect any more: it is being called again.
  signal?.throwIfAborted();
  if (options.idempotent && doneElsewhere().has(id)) effects.write("again", id);
  else effects.write("done", id, digestOf(text));
}

const reach = planned(die);
const shared = options.postgres && connectPostgres(options.postgres, life);
const ledger = shared?.ledger ?? createSqliteLedger(options.ledger, { retainMs: options.retainMs });
const queue = options.redis && connectQueue(options.redis, seed, (id, text, attempt) => handle(id, text, attempt));
const inTransaction = shared?.deliver({
  effects,
  fails: (id, attempt) => {
    const random = createRandom(hashOf(`${seed} ${id} ${attempt}`));
    const fails = attempt < 3 && random.chance(options.failRate);
    return fails ? random.pick(["before", "after", "hangs"]) : undefined;
  },
  reach,
});
const deliver: Deliver =
  queue?.deliver ?? inTransaction ?? (({ id, text }, { attempt, signal }) => handle(id, text, attempt, signal));
const inbox = createInbox({
  gateway: { url: options.url, token: options.token, name: GATEWAY },
  deliver,
  ledger: death(ledger, die, clock, reach),
  retainMs: options.retainMs,
  timeoutMs: TIMEOUT_MS,
  ...(options.log && { logger: pino({ base: { life } }, pino.destination(2)) }),
  retry: { firstDelayMs: 20, maxDelayMs: 200 },
});

inbox.alarms$.subscribe(({ error }) => error && say({ said: "alarm", error: error.message }));
process.on("message", () => void stop());
process.on("disconnect", () => process.exit(stopping ? 0 : 1));

let stopping = false;

async function stop(): Promise<void> {
  stopping = true;
  await inbox.stop();
  await queue?.close();
  await shared?.close();
  effects.close();
  sayLast({ said: "stopped", stats: { ...inbox.stats() } } satisfies HostWord);
}

say({ said: "open" });
await inbox.start();
// It rejects while the server is stopped.
const isFlushed = () =>
  ledger.flush().then(
    () => true,
    () => false,
  );
while (!(await isFlushed())) await new Promise((resolve) => setTimeout(resolve, 50));
say({ said: "ready" });
