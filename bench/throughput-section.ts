import { type AnswerTo, askInRounds, type TaskOf } from "./ask.ts";
import { type Chart, lineChart } from "./charts.ts";
import type { Effort } from "./effort.ts";
import { atMost, type Budget, type Section } from "./report.ts";
import { digits, ratios, spread, withSpread } from "./spread.ts";

type Task = TaskOf<"throughput">;
type Cost = AnswerTo<"throughput">;

const names: Record<Task["rival"], string> = {
  floor: "floor: `JSON.parse` and a bare `Map`",
  ours: "pipeline and supervisor",
  inbox: "the whole inbox, with delivery",
  idiomatic: "XState parent, `spawnChild`, `groupBy`",
};

const cpu = ({ cpuUs }: Cost) => cpuUs;
const isSlow = ({ rival, live }: Task) => rival === "idiomatic" && live > 100;

export async function throughputSection(effort: Effort): Promise<Section> {
  const tasks = (["delta-heavy", "short"] as const).flatMap((traffic) => tasksOf(effort, traffic));
  const answers = await askInRounds("throughput", tasks, effort.rounds, isSlow);
  const costs = new Map(tasks.map((task, i) => [nameOf(task), answers[i] ?? []]));
  const of = (rival: Task["rival"], traffic: Task["traffic"], live: number) =>
    costs.get(nameOf({ rival, traffic, live })) ?? [];

  const rows = tasks.map((task) => {
    const measured = of(task.rival, task.traffic, task.live);
    const floor = of("floor", task.traffic, task.live);
    return [
      names[task.rival],
      task.traffic,
      digits(task.live),
      withSpread(spread(measured.map(cpu))),
      digits(1_000_000 / spread(measured.map(({ wallUs }) => wallUs)).median),
      floor.length === 0 || task.rival === "floor" ? "" : `${digits(ratios(measured, floor, cpu).median)}x`,
    ];
  });
  const most = effort.live.at(-1) ?? 100;
  const budgets: Budget[] = [
    overFloor("frame to message, delta-heavy, 100 live runs, over the floor", 3, "ours", "delta-heavy", 100, of),
    overFloor("frame to message, short runs, 100 live runs, over the floor", 5, "ours", "short", 100, of),
    overFloor("the whole inbox, short runs, 100 live runs, over the floor", 5, "inbox", "short", 100, of, 8),
    overFloor(
      `a delta among ${digits(most)} live runs, over the floor among as many`,
      3,
      "ours",
      "delta-heavy",
      most,
      of,
      4,
    ),
  ];
  return {
    title: "Throughput, in memory",
    text: `Frames come in as text, and messages go out. Each message is checked. CPU time is that of the whole process with its
garbage collector's threads. The frames/s are by the wall clock. A delta-heavy run has 200 deltas and a final, with frames of
890 characters on average. A short run has two deltas and a final, with 300 characters. Both are made from recordings of a
real Gateway. Each event belongs to a run chosen at random, and a run that ends is followed by a new one. The idiomatic supervisor
gets its first 10,000 or 100,000 runs in one step, because one by one would take it minutes or hours. With as many runs it
is measured in one round only.`,
    header: ["rival", "traffic", "live runs", "CPU µs per frame", "frames/s", "over the floor"],
    rows,
    budgets,
    chart: liveChart(effort, of),
  };
}

type Lookup = (rival: Task["rival"], traffic: Task["traffic"], live: number) => readonly Cost[];

function overFloor(
  name: string,
  limit: number,
  rival: Task["rival"],
  traffic: Task["traffic"],
  live: number,
  of: Lookup,
  accepted?: number,
): Budget {
  return atMost(name, limit, "x", ratios(of(rival, traffic, live), of("floor", traffic, live), cpu), accepted);
}

/** What an event costs as live runs grow. */
function liveChart(effort: Effort, of: Lookup): Chart {
  const lineOf = (rival: Task["rival"], name: string) => ({
    name,
    ours: rival === "ours",
    points: effort.live.flatMap((live) => {
      const measured = of(rival, "delta-heavy", live);
      return measured.length === 0 ? [] : [[live, spread(measured.map(cpu)).median] as const];
    }),
  });
  const lines = [
    lineOf("ours", "openclaw-inbox"),
    lineOf("floor", "JSON.parse and a Map"),
    lineOf("idiomatic", "XState and RxJS as usual"),
  ].filter(({ points }) => points.length > 1);
  const words = lines.map(({ name, points }) => `${name} ${points.map(([, us]) => digits(us)).join(", ")}`);
  return {
    file: "bench-live-runs.svg",
    alt: `Microseconds of CPU a frame among ${effort.live.map(digits).join(", ")} live runs: ${words.join("; ")}`,
    svg: lineChart(
      "What a frame costs as live runs grow",
      "microseconds of CPU a frame, delta-heavy",
      "live runs",
      lines,
    ),
  };
}

function nameOf({ rival, traffic, live }: Pick<Task, "rival" | "traffic" | "live">): string {
  return `${rival} ${traffic} ${live}`;
}

function tasksOf(effort: Effort, traffic: Task["traffic"]): Task[] {
  const { events, live, idiomaticEvents, everything } = effort;
  const task = (rival: Task["rival"], liveRuns: number, own = events): Task => {
    return { rival, traffic, live: liveRuns, warmUpEvents: own / 3, events: own };
  };
  if (!everything) {
    const most = live.at(-1) ?? 100;
    if (traffic === "short") return [task("floor", 100), task("ours", 100), task("inbox", 100)];
    return [task("floor", 100), task("ours", 100), task("floor", most), task("ours", most)];
  }
  return live.flatMap((liveRuns) => {
    const idiomatic = idiomaticEvents[liveRuns];
    return [
      task("floor", liveRuns),
      task("ours", liveRuns),
      ...(liveRuns === 100 ? [task("inbox", liveRuns)] : []),
      ...(idiomatic === undefined ? [] : [task("idiomatic", liveRuns, idiomatic)]),
    ];
  });
}
