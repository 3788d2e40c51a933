import type { SQLInputValue } from "node:sqlite";
import { Worker } from "node:worker_threads";
import type { StatementName } from "./statements.ts";
import { inodeOf } from "./thread/inode.ts";
import { locksOf } from "./thread/locks.ts";
import { mendLog } from "./thread/mend-log.ts";
import type { JobResult, ThreadAnswer, ThreadData, ThreadRequest } from "./thread/messages.ts";
import { readDamaged } from "./thread/read-damaged.ts";
import { repair } from "./thread/repair.ts";
import { type ThreadParts, threadMain } from "./thread/thread.ts";

/** A statement and its parameters, in the form for the thread. */
export type Step = readonly [name: StatementName, parameters: readonly SQLInputValue[]];

/** A job that waits for its result. */
interface Waiting {
  readonly job: readonly Step[];
  readonly resolve: (result: JobResult) => void;
}

/** A request other than a job, which waits for its answer. */
interface Asked {
  readonly request: ThreadRequest;
  readonly resolve: (answer: ThreadAnswer) => void;
}

const parts: ThreadParts = { inodeOf, locksOf, mendLog, readDamaged, repair };

/** The thread's program: the source text of each part. A bundle contains it, too. */
function programText(): string {
  const texts = Object.entries(parts).map(([name, part]) => `${name}: (${part})`);
  return `(${threadMain})({ ${texts.join(", ")} })`;
}

/** The thread has ended by itself. Its last writes may or may not be on disk. */
const GONE = { problem: "failed", code: 0, text: "its thread has ended" } as const;

/**
 * The host's end of the ledger's thread. Jobs that come while the thread is busy go to it together, as one transaction.
 * No job waits for a timer.
 */
export class Connection {
  private readonly data: ThreadData;
  private readonly onClaimable: () => void;
  private worker: Worker | undefined;
  private waiting: Waiting[] = [];
  private asked: Asked[] = [];
  /** What the thread works on, and the jobs in it. */
  private busy: ((answer: ThreadAnswer) => void) | undefined;
  private scheduled = false;

  constructor(data: ThreadData, onClaimable: () => void) {
    this.data = data;
    this.onClaimable = onClaimable;
  }

  /** Whether there is a thread. */
  get alive(): boolean {
    return this.worker !== undefined;
  }

  /** Starts the thread. Ask it to `open` before anything else. */
  start(): void {
    const worker = new Worker(programText(), {
      eval: true,
      workerData: this.data,
      name: "openclaw-inbox ledger",
      // `node:sqlite` warns on Node 22 that it is experimental. Only our code runs in this thread, without the host's
      // loaders.
      execArgv: ["--disable-warning=ExperimentalWarning"],
    });
    worker.unref();
    worker.on("message", (answer: ThreadAnswer) => this.hear(answer));
    // An `error` is followed by `exit`.
    worker.on("error", () => {});
    worker.on("exit", () => {
      if (this.worker !== worker) return;
      this.worker = undefined;
      this.hear({ answer: "failed", error: GONE });
    });
    this.worker = worker;
  }

  /** Runs a job: its steps in turn, until one returns rows. */
  run(job: readonly Step[]): Promise<JobResult> {
    return new Promise((resolve) => this.add(job, resolve));
  }

  /** The same with a callback, which costs less per message than promises. */
  add(job: readonly Step[], resolve: (result: JobResult) => void): void {
    this.waiting.push({ job, resolve });
    this.schedule();
  }

  /** Asks the thread, after all jobs before it. */
  ask(request: Exclude<ThreadRequest, { ask: "run" }>): Promise<ThreadAnswer> {
    return new Promise((resolve) => {
      this.asked.push({ request, resolve });
      this.schedule();
    });
  }

  /** Resolves when every job and request so far has its result. */
  async drained(): Promise<void> {
    while (this.busy !== undefined || this.waiting.length > 0 || this.asked.length > 0) {
      await new Promise<void>((resolve) => {
        this.idle.push(resolve);
      });
    }
  }

  private idle: (() => void)[] = [];

  async end(): Promise<void> {
    const { worker } = this;
    this.worker = undefined;
    await worker?.terminate();
  }

  private schedule(): void {
    if (this.busy !== undefined || this.scheduled) return;
    this.scheduled = true;
    // Everything that comes in this turn is sent together.
    queueMicrotask(() => {
      this.scheduled = false;
      this.next();
    });
  }

  private next(): void {
    if (this.busy !== undefined) return;
    const [asked] = this.asked;
    // Opening comes before the jobs that wait for it. Every other request comes after the jobs before it.
    if (asked !== undefined && (asked.request.ask === "open" || this.waiting.length === 0)) {
      this.asked.shift();
      this.send(asked.request, asked.resolve);
    } else if (this.waiting.length > 0) {
      this.sendJobs();
    } else {
      const { idle } = this;
      this.idle = [];
      for (const resolve of idle) resolve();
    }
  }

  private sendJobs(): void {
    const jobs = this.takeJobs();
    this.send({ ask: "run", jobs: jobs.map(({ job }) => job) }, (answer) => {
      for (const [index, { resolve }] of jobs.entries()) {
        if (answer.answer === "done") resolve(answer.results[index] as JobResult);
        else resolve({ step: -1, rows: [], error: answer.answer === "failed" ? answer.error : GONE });
      }
    });
  }

  /** The jobs up to a claim. What is taken after the claim must reach delivery after the claimed messages. */
  private takeJobs(): Waiting[] {
    const end = this.waiting.findIndex(({ job }) => job[0]?.[0] === "claim") + 1 || this.waiting.length;
    const jobs = this.waiting.slice(0, end);
    this.waiting = this.waiting.slice(end);
    return jobs;
  }

  private send(request: ThreadRequest, heard: (answer: ThreadAnswer) => void): void {
    this.busy = heard;
    const { worker } = this;
    if (worker === undefined) return void queueMicrotask(() => this.hear({ answer: "failed", error: GONE }));
    // The process must not end while a job is in progress.
    worker.ref();
    worker.postMessage(request);
  }

  private hear(answer: ThreadAnswer): void {
    if (answer.answer === "claimable") return this.onClaimable();
    const heard = this.busy;
    this.busy = undefined;
    this.worker?.unref();
    heard?.(answer);
    this.schedule();
  }
}
