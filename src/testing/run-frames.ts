import type { Connection } from "./connection.ts";
import type { Broadcast } from "./session-events.ts";
import { agentOf } from "./transcript-row.ts";
import { textBlocks } from "./transcript-rows.ts";

/**
 * Who gets the frames of a run:
 * - `"open"`: every client.
 * - `"send"`: every client, with `status` events, as for `chat.send`.
 * - `"hidden"`: the subscribers of its session only, without deltas.
 */
export type RunKind = "open" | "send" | "hidden";

/** A run, and how its frames are sent. */
export interface RunFramesOptions {
  readonly broadcast: Broadcast;
  readonly now: () => number;
  readonly runId: string;
  readonly sessionKey: string;
  readonly sessionId: string;
  readonly kind: RunKind;
  readonly spawnedBy: string | undefined;
}

/** Sends the `agent` and `chat` frames of one run. Its functions are called in the order of a Gateway. */
export interface RunFrames {
  preparing(): void;
  started(): void;
  model(): void;
  speak(text: string, delta: string, replace?: boolean): void;
  delta(deltaText: string, text: string, replace?: boolean): void;
  /** Tells the names of the files that are sent along. */
  files(text: string, names: readonly string[]): void;
  usage(): void;
  finished(text: string): void;
  final(text: string): void;
  failed(error: string): void;
  error(message: string, errorKind?: string): void;
  aborted(text: string): void;
  cancelled(): void;
}

/** {@link RunFrames} with their own `seq`: it counts `agent` events, and a `chat` event has that of the last one. */
export function createRunFrames(options: RunFramesOptions): RunFrames {
  const { broadcast, now, runId, sessionKey, sessionId, kind, spawnedBy } = options;
  const hidden = kind === "hidden";
  const agentId = agentOf(sessionKey);
  const itemId = `${runId}:1`;
  const startedAt = now();
  const spawned = spawnedBy === undefined ? {} : { spawnedBy };
  const subscribed = ({ subscriptions }: Connection) => subscriptions.has(sessionKey);
  let seq = 0;

  function send(event: string, payload: object): void {
    broadcast(event, { runId, sessionKey, agentId, ...spawned, ...payload }, hidden ? subscribed : undefined);
  }

  function agent(stream: string, data: object): void {
    seq += 1;
    agentAt(seq, stream, data);
  }

  function agentAt(at: number, stream: string, data: object): void {
    const ofSession = stream === "lifecycle" ? { sessionId } : {};
    const isHeartbeat = kind === "open" ? {} : { isHeartbeat: hidden };
    send("agent", { ...ofSession, stream, data, seq: at, ts: now(), ...isHeartbeat });
  }

  function chat(state: string, fields: object): void {
    send("chat", { seq, state, ...fields });
  }

  function message(text: string): object {
    return { message: { role: "assistant", content: textBlocks(text), timestamp: now() } };
  }

  function status(phase: string): void {
    if (kind !== "send") return;
    agent("run_status", { phase });
    chat("status", { phase });
  }

  return {
    preparing() {
      status("preparing_workspace");
      status("preparing_context");
    },
    started: () => agent("lifecycle", { phase: "start", startedAt }),
    model() {
      status("starting_model");
      agent("lifecycle", { phase: "model", provider: "stub", model: "stub-1" });
    },
    speak(text, delta, replace = false) {
      if (hidden) seq += 1;
      else agent("assistant", { text, delta, itemId, ...(replace ? { replace } : {}) });
    },
    delta(deltaText, text, replace = false) {
      if (!hidden) chat("delta", { deltaText, ...message(text), ...(replace ? { replace } : {}) });
    },
    files(text, names) {
      const mediaUrls = names.map((name) => `./${name}`);
      if (hidden) seq += 1;
      else agent("assistant", { text, delta: "", mediaUrls, itemId });
    },
    usage() {
      if (hidden) seq += 1;
      else agent("usage", { outputTokens: 5 });
    },
    finished(text) {
      const done = { stopReason: "stop", aborted: false, livenessState: "working", endedAt: now() };
      agent("lifecycle", { phase: "finishing", ...done });
      agent("lifecycle", { phase: "model", provider: null, model: null });
      const terminalReply = { disposition: text === "" ? "silent" : "visible", text };
      agent("lifecycle", { phase: "end", startedAt, ...done, terminalReply, executionSettled: true });
    },
    final: (text) => chat("final", text === "" ? {} : { stopReason: "stop", ...message(text) }),
    failed(error) {
      agent("lifecycle", { phase: "finishing", error, aborted: false, livenessState: "blocked", endedAt: now() });
      agent("lifecycle", { phase: "error", startedAt, endedAt: now(), error, executionSettled: true });
    },
    error(errorMessage, errorKind) {
      const kindOf = errorKind === undefined ? {} : { errorKind };
      chat("error", { errorMessage, ...kindOf, errorDetail: ERROR_DETAIL });
      // A Gateway ends a failed chat.send twice. The second end has no `agent` event, and `seq` 1.
      if (kind !== "send") return;
      broadcast("chat", {
        runId,
        sessionKey,
        seq: 1,
        state: "error",
        errorMessage: `⚠️ Agent failed before reply: ${errorMessage}`,
      });
    },
    aborted(text) {
      seq += 1;
      chat("aborted", { stopReason: "rpc", ...(text === "" ? {} : message(text)) });
    },
    cancelled() {
      const cancelled = { status: "cancelled", aborted: true, stopReason: "rpc", startedAt, endedAt: now() };
      agentAt(seq, "lifecycle", { phase: "end", ...cancelled });
      const stopped = { aborted: true, stopReason: "aborted", executionSettled: true, startedAt, endedAt: now() };
      agentAt(1, "lifecycle", { phase: "error", error: "This operation was aborted", ...stopped });
    },
  };
}

const ERROR_DETAIL = {
  provider: "stub",
  model: "stub-1",
  failoverReason: "server_error",
  providerRuntimeFailureKind: "timeout",
};
