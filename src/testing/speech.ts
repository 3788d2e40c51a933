import { randomUUID } from "node:crypto";
import type { CronJobs } from "./cron-jobs.ts";
import type { FakeFile } from "./files.ts";
import { gatewayKey } from "./gateway-key.ts";
import { type FakeFailure, type FakeRun, type RunHost, type RunStart, startRun } from "./run.ts";
import { announceRow } from "./session-events.ts";
import type { SessionStatus } from "./transcript.ts";
import { agentOf } from "./transcript-row.ts";
import { automationRow, cronPromptRow, injectedRow, promptRow, textBlocks } from "./transcript-rows.ts";

/**
 * Why an agent speaks:
 * - `"agent"`: the method `agent` of another client. Every client hears it.
 * - `"send"`: the method `chat.send` of another client. Every client hears it, with `status` events.
 * - `"cron"`: a cron job in the session. Hidden in the main session.
 * - `"cron-isolated"`: a cron job in a session of its own, `agent:<agent>:cron:<jobId>:run:<id>`. `sessionKey` names the
 *   agent only.
 * - `"cron-current"`: a cron job bound to the session. It streams in a session of its own, and its text is a row in this one.
 * - `"heartbeat"`, `"wake"`: hidden.
 * - `"inject"`: the method `chat.inject`. One final and nothing before it.
 * - `"subagent"`: a sub-agent of the session, in a session of its own.
 */
export type FakeOrigin =
  | "agent"
  | "send"
  | "cron"
  | "cron-isolated"
  | "cron-current"
  | "heartbeat"
  | "wake"
  | "inject"
  | "subagent";

/** The options of `FakeGateway.run`. */
export interface RunOptions {
  /** The session, written as a Gateway writes it. Default `"agent:main:main"`. */
  readonly sessionKey?: string;
  /** The id of the run. Default: a random one. */
  readonly runId?: string;
  /** Why the agent speaks. Default `"agent"`. */
  readonly origin?: Exclude<FakeOrigin, "inject">;
  /** Whether only the subscribers of the session hear it. Default: by `origin`. */
  readonly hidden?: boolean;
  /** The prompt in the transcript. Default: `Go on.` */
  readonly prompt?: string;
  /** The id of the job of a cron run. Default: that of a new job. */
  readonly jobId?: string;
}

/** The options of `FakeGateway.say`. */
export interface SayOptions extends Omit<RunOptions, "origin"> {
  /** Why the agent speaks. Default `"agent"`. */
  readonly origin?: FakeOrigin;
  /** The number of deltas, or their texts. Default 3; with 0 there is only a final. */
  readonly chunks?: number | readonly string[];
  /** How the run ends. Default `"final"`. `"none"` does not end it: `FakeGateway.running(id)` gives the run. */
  readonly end?: "final" | "error" | "aborted" | "none";
  /** The files that are sent along, see `FakeRun.final`. Default: none. `"inject"` sends none. */
  readonly files?: readonly FakeFile[];
  /** Why the run failed, with `end: "error"`. */
  readonly failure?: FakeFailure;
}

/** Starts the runs of a fake Gateway. */
export interface Speech {
  run(options?: RunOptions): FakeRun;
  say(text: string, options?: SayOptions): string;
  running(runId: string): FakeRun | undefined;
  /** Forgets every run that goes on. */
  crash(): void;
}

const MAIN_SESSION = "agent:main:main";

/** A {@link Speech} through `host`. */
export function createSpeech(host: RunHost, cronJobs: CronJobs): Speech {
  const { transcripts, broadcast, now } = host;
  const runs = new Map<string, FakeRun>();

  function begin(start: RunStart): FakeRun {
    const ended = (run: FakeRun, status: SessionStatus) => {
      runs.delete(run.runId);
      start.ended?.(run, status);
    };
    const run = startRun(host, { ...start, ended });
    runs.set(run.runId, run);
    return run;
  }

  function run({
    sessionKey: asked = MAIN_SESSION,
    origin = "agent",
    prompt = "Go on.",
    ...options
  }: RunOptions = {}): FakeRun {
    const sessionKey = gatewayKey(asked);
    const given = options.runId === undefined ? {} : { runId: options.runId };
    const isHidden = options.hidden ?? hiddenByDefault(origin, sessionKey);
    const start: RunStart = { sessionKey, kind: isHidden ? "hidden" : origin === "send" ? "send" : "open", ...given };
    switch (origin) {
      case "agent":
      case "send":
        return begin({ ...start, prompt: (runId) => ({ row: promptRow(prompt, runId, now()), hidden: isHidden }) });
      case "heartbeat":
      case "wake":
        return begin({ ...start, ...hiddenPrompt(prompt), ended: heartbeatEnded });
      case "subagent": {
        const child = `agent:${agentOf(sessionKey)}:subagent:${randomUUID()}`;
        return begin({ ...start, sessionKey: child, spawnedBy: sessionKey });
      }
      default:
        return cron(start, origin, prompt, options.jobId);
    }
  }

  function cron(start: RunStart, origin: string, prompt: string, jobId: string | undefined): FakeRun {
    const { sessionKey } = start;
    const target =
      origin === "cron"
        ? sessionKey === MAIN_SESSION
          ? "main"
          : `session:${sessionKey}`
        : origin.slice("cron-".length);
    const firing = cronJobs.fire({ sessionKey, target, prompt, ...(jobId === undefined ? {} : { jobId }) });
    const ended = (run: FakeRun, status: SessionStatus) => {
      if (start.kind === "hidden") heartbeatEnded(run);
      if (origin === "cron-current" && status === "done") bind(run.text, sessionKey, firing.jobId, firing.cronRunId);
      firing.finish(status, target === "main" ? prompt : run.text);
    };
    if (start.kind === "hidden") return begin({ ...start, ...hiddenPrompt(prompt), ended });
    const own = `agent:${agentOf(sessionKey)}:cron:${firing.jobId}`;
    const place = origin === "cron" ? {} : { sessionKey: `${own}:run:${randomUUID()}`, rowsIn: own };
    const row = (runId: string) => cronPromptRow(prompt, firing.jobId, sessionKey, runId, now());
    return begin({ ...start, ...place, prompt: (runId) => ({ row: row(runId), hidden: false }), ended });
  }

  function bind(text: string, sessionKey: string, jobId: string, cronRunId: string): void {
    const row = transcripts.add(sessionKey, automationRow(text, jobId, cronRunId, now()));
    announceRow(broadcast, transcripts.session(sessionKey), row, now());
  }

  function hiddenPrompt(prompt: string): Required<Pick<RunStart, "prompt">> {
    return { prompt: (runId) => ({ row: promptRow(prompt, runId, now()), hidden: true }) };
  }

  function heartbeatEnded({ text }: FakeRun): void {
    const spoke = { status: "skipped", preview: text.slice(0, 200), reason: "target-none" };
    const what = text.trim() === "" ? { status: "ok-empty", reason: "no-reply" } : spoke;
    broadcast("heartbeat", { ts: now(), ...what, hasMedia: false, durationMs: 0 });
  }

  function inject(text: string, sessionKey: string): string {
    const row = injectedRow(text, now());
    const stored = transcripts.add(sessionKey, row);
    const session = transcripts.session(sessionKey);
    const runId = `inject-${stored.id}`;
    const message = { ...row, content: textBlocks(text) };
    broadcast("chat", {
      runId,
      sessionKey: session.key,
      agentId: agentOf(session.key),
      seq: 0,
      state: "final",
      message,
    });
    announceRow(broadcast, session, stored, now());
    return runId;
  }

  return {
    run,
    say(text, { origin = "agent", chunks = 3, end = "final", failure, files, ...options } = {}) {
      if (origin === "inject") return inject(text, options.sessionKey ?? MAIN_SESSION);
      const started = run({ ...options, origin });
      const pieces = typeof chunks === "number" ? split(text, chunks) : chunks;
      for (const [index, piece] of pieces.entries()) {
        // The end sends a held delta. Without an end, none is held.
        started.delta(piece, { hold: end !== "none" && index > 0 && index === pieces.length - 1 });
      }
      if (end === "final") started.final(text, files);
      if (end === "error") started.error(failure);
      if (end === "aborted") started.abort();
      return started.runId;
    },
    running: (runId) => runs.get(runId),
    crash() {
      runs.clear();
      transcripts.crash();
    },
  };
}

function hiddenByDefault(origin: FakeOrigin, sessionKey: string): boolean {
  return origin === "heartbeat" || origin === "wake" || (origin === "cron" && sessionKey === MAIN_SESSION);
}

/** Cuts `text` into at most `count` pieces of about equal length, and no surrogate pair in two. */
function split(text: string, count: number): readonly string[] {
  const pieces: string[] = [];
  let from = 0;
  for (let piece = 1; piece <= count; piece += 1) {
    let to = Math.round((text.length * piece) / count);
    if (isHighSurrogate(text.charCodeAt(to - 1))) to += 1;
    if (to > from) pieces.push(text.slice(from, to));
    from = Math.max(from, to);
  }
  return pieces;
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}
