import { type AnswerTo, askInRounds } from "./ask.ts";
import { barChart, type Chart } from "./charts.ts";
import type { DurableRival, DurableTask } from "./durable.ts";
import type { Effort } from "./effort.ts";
import { atMost, type Budget, type Section } from "./report.ts";
import { type BenchServer, findPostgres, startRedis } from "./servers.ts";
import { digits, ratios, spread, withSpread } from "./spread.ts";

const order: readonly DurableRival[] = [
  "inbox, in memory",
  "inbox, file",
  "inbox, Postgres",
  "BullMQ, everysec",
  "BullMQ, always",
  "graphile-worker",
  "pg-boss",
  "bare fdatasync",
  "bare SQLite",
  "bare Postgres",
];

/** Those that a budget is about. */
const judged: readonly DurableRival[] = [
  "inbox, in memory",
  "inbox, file",
  "inbox, Postgres",
  "BullMQ, everysec",
  "graphile-worker",
];

const kinds = [
  { sessions: 1_000, chars: 1_000 },
  { sessions: 1_000, chars: 10_000 },
  { sessions: 1, chars: 1_000 },
] as const;

export async function durableSection({ durableMs, rounds, fewRounds, everything }: Effort): Promise<Section> {
  const everysec = await startRedis("everysec");
  const always = await startRedis("always");
  const postgres = await findPostgres();
  const serverOf = (rival: DurableRival): BenchServer | undefined | "none" => {
    if (rival === "BullMQ, everysec") return everysec;
    if (rival === "BullMQ, always") return always;
    return /postgres|graphile|boss/i.test(rival) ? postgres : "none";
  };
  const tasks: DurableTask[] = [];
  const missing = new Set<string>();
  for (const kind of everything ? kinds : kinds.slice(0, 1)) {
    for (const rival of everything ? order : judged) {
      const server = serverOf(rival);
      if (server === undefined) missing.add(rival);
      else tasks.push({ rival, ...kind, ms: durableMs, ...(server !== "none" && { url: server.url }) });
    }
  }
  if (missing.size > 0) console.error(`\n!!! NOT MEASURED, WITHOUT THEIR SERVERS: ${[...missing].join("; ")} !!!\n`);
  let answers: readonly (readonly AnswerTo<"durable">[])[];
  try {
    answers = await askInRounds("durable", tasks, everything ? rounds : fewRounds);
  } finally {
    await everysec?.stop();
    await always?.stop();
  }
  const costs = (rival: DurableRival, kind: (typeof kinds)[number] = kinds[0]) =>
    answers[
      tasks.findIndex((task) => task.rival === rival && task.sessions === kind.sessions && task.chars === kind.chars)
    ] ?? [];
  return {
    title: "Messages that are on disk",
    text: `Measured from a message's arrival to the record that its handler has returned. The handler does nothing. Messages come in two
bursts of 250 at a time, with 16 handlers at once, for the same time for each rival. Every text is checked. CPU time is that of this
process alone. Redis and Postgres spend theirs in their own processes, and SQLite works in ours. The rivals do not promise the same:

- The inbox records a message before the handler is called and again after it, once for each id and in the order of its
  session. With a file or Postgres both records are on disk. Its figures include frames, runs and dedup.
- BullMQ records a job in Redis, once for each id, without order between jobs. When the machine loses power, \`everysec\` loses
  up to a second of them, and \`always\` loses none.
- graphile-worker has a queue for each session and keeps their order. Each job is on disk before and after.
- pg-boss fetches jobs in batches, twice a second. Here it also fetches when a new job is reported to it. It keeps no order.
- Bare: an insert and an update, each in a transaction that is on disk. There is no order, no retry, and no memory of what was
  delivered.`,
    header: ["", "sessions", "characters", "messages/s", "CPU µs per message"],
    rows: tasks.map(({ rival, sessions, chars }, i) => {
      const measured = answers[i] ?? [];
      return [
        rival,
        digits(sessions),
        digits(chars),
        digits(1_000_000 / spread(measured.map(({ wallUs }) => wallUs)).median),
        withSpread(spread(measured.map(({ cpuUs }) => cpuUs))),
      ];
    }),
    budgets: budgetsOf(costs),
    chart: chartOf(costs),
  };
}

type Costs = (rival: DurableRival) => readonly AnswerTo<"durable">[];

const cpu = ({ cpuUs }: AnswerTo<"durable">) => cpuUs;
const wall = ({ wallUs }: AnswerTo<"durable">) => wallUs;

/** Without its server a rival was not measured, and there is no budget about it. */
function budgetsOf(costs: Costs): readonly Budget[] {
  const over = (name: string, limit: number, ours: DurableRival, theirs: DurableRival): Budget[] =>
    costs(ours).length === 0 || costs(theirs).length === 0
      ? []
      : [
          {
            name,
            limit,
            keeps: "at least",
            unit: "x",
            measured: ratios(costs(theirs), costs(ours), wall),
            accepted: 1,
          },
        ];
  const cpuOf = (rival: DurableRival) => spread(costs(rival).map(cpu));
  return [
    atMost("CPU a message, ledger in memory", 25, " µs", cpuOf("inbox, in memory"), 60),
    atMost("CPU a message, ledger in a file", 50, " µs", cpuOf("inbox, file"), 120),
    ...over("messages/s on disk, file, over BullMQ with `everysec`", 4, "inbox, file", "BullMQ, everysec"),
    ...over(
      "messages/s on disk, Postgres, over graphile-worker with a queue a session",
      3,
      "inbox, Postgres",
      "graphile-worker",
    ),
  ];
}

function chartOf(costs: Costs): Chart {
  const shown: readonly (readonly [DurableRival, string])[] = [
    ["inbox, in memory", "inbox, ledger in memory"],
    ["inbox, file", "inbox, SQLite file"],
    ["inbox, Postgres", "inbox, Postgres"],
    ["BullMQ, everysec", "BullMQ, Redis `everysec`"],
    ["BullMQ, always", "BullMQ, Redis `always`"],
    ["graphile-worker", "graphile-worker, Postgres"],
    ["pg-boss", "pg-boss, Postgres"],
  ];
  const bars = shown
    .filter(([rival]) => costs(rival).length > 0)
    .map(([rival, name]) => {
      const value = 1_000_000 / spread(costs(rival).map(wall)).median;
      return { name: name.replaceAll("`", ""), value, label: digits(value), ours: rival.startsWith("inbox") };
    });
  return {
    file: "bench-throughput.svg",
    alt: `Messages a second: ${bars.map(({ name, label }) => `${name} ${label}`).join("; ")}`,
    svg: barChart(
      "From arrival to the record that the handler has returned",
      "messages a second, of 1,000 characters, in 1,000 sessions",
      bars,
    ),
  };
}
