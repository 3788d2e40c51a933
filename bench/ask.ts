import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { questions } from "./questions.ts";

type Questions = typeof questions;
export type Question = keyof Questions;
export type TaskOf<Q extends Question> = Parameters<Questions[Q]>[0];
export type AnswerTo<Q extends Question> = Awaited<ReturnType<Questions[Q]>>;

const run = promisify(execFile);
const worker = fileURLToPath(new URL("./worker.js", import.meta.url));
const OPTIONS = ["--expose-gc", "--max-old-space-size=6144"];

/** Measures one thing in its own process, so that no rival inherits another's heap or compiled code. */
async function ask<Q extends Question>(question: Q, task: TaskOf<Q>): Promise<AnswerTo<Q>> {
  const { stdout } = await run(process.execPath, [...OPTIONS, worker, question, JSON.stringify(task)], {
    timeout: 600_000,
  });
  return JSON.parse(stdout) as AnswerTo<Q>;
}

/**
 * Measures every task in turn, `rounds` times. A slowdown of the machine then slows all of them. Tasks that are `slow`
 * are measured in one round only.
 */
export async function askInRounds<Q extends Question>(
  question: Q,
  tasks: readonly TaskOf<Q>[],
  rounds: number,
  slow: (task: TaskOf<Q>) => boolean = () => false,
): Promise<readonly (readonly AnswerTo<Q>[])[]> {
  const answers: AnswerTo<Q>[][] = tasks.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const [index, task] of tasks.entries()) {
      if (round === 0 || !slow(task)) answers[index]?.push(await ask(question, task));
    }
  }
  return answers;
}
