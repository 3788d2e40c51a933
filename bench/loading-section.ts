import { askInRounds } from "./ask.ts";
import type { Effort } from "./effort.ts";
import { atMost, type Section } from "./report.ts";
import { digits, spread } from "./spread.ts";

const shown = {
  nothing: "nothing",
  peers: "`ws`, `rxjs`, `xstate` and `pino`",
  ours: "this package's main entry",
} as const;

export async function loadingSection({ rounds, everything }: Effort): Promise<Section> {
  const [answers = []] = await askInRounds("loading", [{ starts: 11, build: everything }], everything ? rounds : 1);
  const msOf = (name: keyof typeof shown) => spread(answers.map(({ ms }) => ms[name]));
  const megabytes = answers.flatMap((answer) => answer.megabytes ?? []);
  return {
    title: "Installing and importing",
    text: `A process starts, imports, and ends: medians of 11 starts of each, in turn. The Gateway's client, SQLite, Postgres, the
inspector and the metrics are loaded only when they are used. The megabytes are the sizes of all files, of the package and
of all that comes with it. With blocks of 4 kB a file system needs half as much again.`,
    header: ["a process that loads", "ms"],
    rows: (Object.keys(shown) as (keyof typeof shown)[]).map((name) => [shown[name], digits(msOf(name).median)]),
    budgets: [
      atMost("a process that imports the package", 100, " ms", msOf("ours"), Number.POSITIVE_INFINITY),
      atMost(
        "the same, over one that imports `ws`, `rxjs`, `xstate` and `pino`",
        1.2,
        "x",
        spread(answers.map(({ ms }) => ms.ours / ms.peers)),
        2,
      ),
      atMost("packages that come with it", 40, "", spread(answers.map(({ packages }) => packages))),
      ...(megabytes.length > 0 ? [atMost("installed files, all together", 30, " MB", spread(megabytes))] : []),
    ],
  };
}
