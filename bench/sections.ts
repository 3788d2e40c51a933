import { type AnswerTo, askInRounds, type TaskOf } from "./ask.ts";
import { barChart, type Chart } from "./charts.ts";
import type { Effort } from "./effort.ts";
import { type Inspected, inspected } from "./inspection.ts";
import { atMost, type Section } from "./report.ts";
import { digits, ratios, spread, withSpread } from "./spread.ts";

/** For a brief run: what else the machine does decides about it. */
const anything = Number.POSITIVE_INFINITY;

const median = (values: readonly number[]) => spread(values).median;

export async function spawnSection({ spawnRuns, fewRounds }: Effort): Promise<Section> {
  const live = 10_000;
  const tasks = [
    { rival: "ours", live, runs: spawnRuns.ours },
    { rival: "idiomatic", live, runs: spawnRuns.idiomatic },
  ] as const;
  const [ours = [], idiomatic = []] = await askInRounds("spawn", tasks, fewRounds);
  const cpu = ({ cpuUs }: { cpuUs: number }) => cpuUs;
  return {
    title: "Beginning and ending a run beside 10,000 others",
    text: "From the text of a first delta to the message of its final, `JSON.parse` included.",
    header: ["rival", "CPU µs per run"],
    rows: [
      ["pipeline and supervisor", withSpread(spread(ours.map(cpu)))],
      ["XState parent, `spawnChild`, `groupBy`", withSpread(spread(idiomatic.map(cpu)))],
    ],
    budgets: [
      {
        name: "spawn and finish at 10,000 live runs, faster than the idiomatic supervisor",
        limit: 50,
        keeps: "at least",
        unit: "x",
        measured: ratios(idiomatic, ours, cpu),
      },
    ],
  };
}

export async function memorySection({ memoryLive: live, fewRounds }: Effort): Promise<Section> {
  const tasks = [
    { rival: "ours", live },
    { rival: "bare", live },
  ] as const;
  const [ours = [], bare = []] = await askInRounds("memory", tasks, fewRounds);
  const bytes = (pick: (memory: (typeof ours)[number]) => number) => digits(median(ours.map(pick)));
  return {
    title: "Memory",
    text: `The heap after a full collection, with ${digits(live)} live runs and without their texts. A run holds its actor and its place in the
supervisor's map. Until \`dedupWindowMs\` has passed, it also holds the keys of its events. "Afterwards" is what is left of each
run when all have ended and every window has passed.`,
    header: ["", "bytes per run"],
    rows: [
      ["a live run that has just spoken", bytes(({ perRun }) => perRun)],
      ["a live run that has been silent for `dedupWindowMs`", bytes(({ perQuietRun }) => perQuietRun)],
      ["afterwards", bytes(({ leftPerRun }) => leftPerRun)],
      ["a bare root actor of XState with one `after`", digits(median(bare.map(({ perRun }) => perRun)))],
    ],
    budgets: [
      {
        name: "memory per live run, over a bare root actor with one `after`",
        limit: 1.3,
        keeps: "at most",
        unit: "x",
        measured: ratios(ours, bare, ({ perRun }) => perRun),
      },
    ],
  };
}

export async function latencySection({
  latencySeconds: seconds,
  rounds,
  fewRounds,
  everything,
}: Effort): Promise<Section> {
  const tasks: TaskOf<"latency">[] = [
    { eventsPerSecond: 2_000, seconds, ledger: "memory" },
    { eventsPerSecond: 2_000, seconds, ledger: "file" },
  ];
  if (everything) {
    tasks.push(
      { eventsPerSecond: 10_000, seconds, ledger: "memory" },
      { eventsPerSecond: 10_000, seconds, ledger: "file" },
      { eventsPerSecond: 2_000, seconds, ledger: "bare file" },
    );
  }
  const answers = await askInRounds("latency", tasks, everything ? rounds : fewRounds);
  const fileOf = (share: "p50" | "p99") => spread((answers[1] ?? []).map(({ wall }) => wall[share]));
  const rows = tasks.flatMap(({ eventsPerSecond, ledger }, i) =>
    (["cpu", "wall"] as const).map((clock) => {
      const measured = (answers[i] ?? []).map((answer) => answer[clock]);
      return [
        ledger === "memory" ? "in memory" : ledger,
        digits(eventsPerSecond),
        clock === "cpu" ? "the process's CPU time" : "wall clock",
        ...(["p50", "p99", "p999"] as const).map((share) => digits(median(measured.map((at) => at[share])))),
      ];
    }),
  );
  return {
    title: "Latency, from a final's arrival to the handler's call",
    text: `In milliseconds, in a whole inbox with 100 live runs that end after 20 deltas. A frame arrives when it is due, whether
the process has time for it or not. The wall clock includes what else the machine does. The process's own CPU time adds up
what its threads do at the same time (compiling, collecting garbage). It does not include waiting for the disk. Both are
more than the process alone would need by the wall clock. The budget without a disk is for the lesser of the two. The
budgets with a file are for the wall clock. With "bare file" the ledger is in memory, and a thread writes and flushes two
pages for each message. Less than that no message on disk can take.`,
    header: ["ledger", "events/s", "by", "p50", "p99", "p99.9"],
    rows,
    budgets: [
      atMost(
        "p99 from final to handler at 2,000 events/s, ledger in memory",
        2,
        " ms",
        spread((answers[0] ?? []).map(({ wall, cpu }) => Math.min(wall.p99, cpu.p99))),
        4,
      ),
      atMost("p50 from final to handler at 2,000 events/s, ledger in a file", 0.7, " ms", fileOf("p50"), anything),
      atMost("p99 from final to handler at 2,000 events/s, ledger in a file", 2, " ms", fileOf("p99"), anything),
    ],
    chart: latencyChart(tasks, answers),
  };
}

/** Of 2,000 events a second, by the wall clock. */
function latencyChart(
  tasks: readonly TaskOf<"latency">[],
  answers: readonly (readonly AnswerTo<"latency">[])[],
): Chart {
  const names = { p50: "half of them", p99: "99 of 100", p999: "999 of 1,000" } as const;
  const bars = tasks.flatMap(({ ledger, eventsPerSecond }, i) => {
    if (eventsPerSecond !== 2_000 || ledger === "bare file") return [];
    return (["p50", "p99", "p999"] as const).map((share) => {
      const value = median((answers[i] ?? []).map(({ wall }) => wall[share]));
      const where = ledger === "memory" ? "in memory" : "SQLite file";
      return { name: `${where}, ${names[share]}`, value, label: `${digits(value)} ms`, ours: ledger === "file" };
    });
  });
  return {
    file: "bench-latency.svg",
    alt: `Milliseconds from a final to the handler: ${bars.map(({ name, label }) => `${name} ${label}`).join("; ")}`,
    svg: barChart("From a final's arrival to the handler's call", "milliseconds, at 2,000 events a second", bars),
  };
}

/** Many rounds, because the difference is a few per cent. Each rival is started first equally often. */
const INSPECTION_ROUNDS = 3;

export async function inspectionSection(): Promise<Section> {
  const task = { live: 10_000, eventsPerSecond: 2_000, turns: 36, eventsPerTurn: 10_000 };
  const tasks = inspected.map((_, first) => ({ ...task, first }));
  const rounds = (await askInRounds("inspection", tasks, INSPECTION_ROUNDS)).flat();
  const cost = (rival: Inspected) => withSpread(spread(rounds.map((round) => round[rival])));
  const over = (rival: Inspected) => spread(rounds.map((round) => round[rival] / round["no inspector"]));
  return {
    title: "The inspector",
    text: `A fake Gateway in another process sends delta-heavy frames of 10,000 live runs over a real WebSocket into a whole inbox. It
sends 2,000 a second by the inbox's clock. The page is a third process and reads all it is sent. CPU time is that of the inbox's
process, with compiling and collecting garbage. The three inboxes run at once. They take turns of 10,000 frames, with
${task.turns} turns in a round, so whatever slows the machine down affects all three. In a turn the clock moves with the frames that have
come, so the process is always busy. If it waited most of the time, other processes would empty its caches.`,
    header: ["", "CPU µs per frame", "over none"],
    rows: [
      ["without an inspector", cost("no inspector"), ""],
      ["with one, and no page open", cost("no page"), withSpread(over("no page"), "x")],
      ["with a page open", cost("one page"), withSpread(over("one page"), "x")],
    ],
    budgets: [
      {
        name: "inbox with a page of the inspector open, over one without an inspector",
        limit: 1.1,
        keeps: "at most",
        unit: "x",
        measured: over("one page"),
      },
    ],
  };
}

export async function longReplySection({ words, fewRounds }: Effort): Promise<Section> {
  const tasks = words.map((count) => ({ words: count, rounds: 2 }));
  const answers = await askInRounds("longReply", tasks, fewRounds);
  return {
    title: "Long replies",
    text: `One reply comes in 200 deltas, and each repeats the whole text so far, as in protocol 4. The figures are medians over its second
half, in microseconds per delta. Ours is everything but \`JSON.parse\`. Deltas of a run of a few words come in between. Beside a
longer reply they cost more: the garbage collector works on the parsed megabytes, and caches are cold.`,
    header: [
      "words",
      "characters of the last frame",
      "`JSON.parse`",
      "ours, beyond it",
      "ours, a few words in between",
    ],
    rows: tasks.map((task, i) => {
      const measured = answers[i] ?? [];
      return [
        digits(task.words),
        digits(median(measured.map(({ frameChars }) => frameChars))),
        digits(median(measured.map(({ parseUs }) => parseUs))),
        digits(median(measured.map(({ oursUs }) => oursUs))),
        digits(median(measured.map(({ besideUs }) => besideUs))),
      ];
    }),
    budgets: [
      {
        name: `a delta of ${digits(words.at(-1) ?? 0)} words, beyond \`JSON.parse\`, over one of a few words in between`,
        limit: 1.5,
        accepted: 4,
        keeps: "at most",
        unit: "x",
        measured: spread((answers.at(-1) ?? []).map(({ oursUs, besideUs }) => oursUs / besideUs)),
      },
    ],
  };
}

export async function socketSection({ rounds, events }: Effort): Promise<Section> {
  const names = { ws: "`ws` and `JSON.parse` alone", webSocketSource: "", gatewaySource: "" };
  const rivals = ["ws", "webSocketSource", "gatewaySource"] as const;
  const tasks = rivals.map((rival) => ({ rival, frames: events / 5 }));
  const answers = await askInRounds("sockets", tasks, rounds);
  return {
    title: "Over a loopback WebSocket",
    text: `A fake Gateway in another process sends delta-heavy frames into a whole inbox. The sender shares the machine and limits the
frames per second. The CPU time per frame is the listener's alone.`,
    header: ["listener", "CPU µs per frame", "frames/s"],
    rows: rivals.map((rival, i) => [
      names[rival] || `inbox with \`${rival}\``,
      withSpread(spread((answers[i] ?? []).map(({ cpuUs }) => cpuUs))),
      digits(1_000_000 / median((answers[i] ?? []).map(({ wallUs }) => wallUs))),
    ]),
    budgets: [],
  };
}

export async function distinctSection({ fewRounds }: Effort): Promise<Section> {
  const million = { keys: 1_000_000, events: 1_000_000 };
  const tasks: TaskOf<"distinct">[] = [
    { rival: "distinctWithin", ...million },
    { rival: "distinctWithin by group", ...million },
    { rival: "distinct with flush", ...million },
    { rival: "naive filter", keys: 10_000, events: 2_000 },
  ];
  const answers = await askInRounds("distinct", tasks, fewRounds);
  return {
    title: "`distinctWithin`",
    text: `The keys are as long as ours, evenly over a window of 30 s. Every tenth event repeats a key that is half a window old.
"By group" is how the pipeline uses it: the run id is kept once, and the rest of the key is a number. RxJS's \`distinct\` is
flushed every 30 s, and so lets repeats pass. The naive filter searches an array. With a million keys it would take hours.`,
    header: ["operator", "keys in the window", "CPU µs per event", "bytes per key", "repeats let through"],
    rows: tasks.map(({ rival, keys }, i) => {
      const measured = answers[i] ?? [];
      return [
        rival.startsWith("distinct") ? rival.replace(/^distinct\w*/, "`$&`") : rival,
        digits(keys),
        withSpread(spread(measured.map(({ cpuUs }) => cpuUs))),
        digits(median(measured.map(({ bytesPerKey }) => bytesPerKey))),
        `${digits((100 * median(measured.map(({ missed }) => missed))) / median(measured.map(({ repeats }) => repeats)))} %`,
      ];
    }),
    budgets: [],
  };
}
