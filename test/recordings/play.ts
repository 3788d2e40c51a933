/** Plays frames through a real inbox, in this process and on a clock that stands still unless told otherwise. */
import { expect } from "vitest";
import { createInbox } from "../../src/inbox.ts";
import type { InboxStats } from "../../src/report/counters.ts";
import type { Source, SourceListener } from "../../src/source/source.ts";
import { createTestClock, type TestClock } from "../../src/testing/clock.ts";
import type { ProactiveMessage, RunOutcome } from "../../src/types.ts";
import { turn } from "../helpers/turns.ts";
import type { ExpectedOutcome, Layer } from "./expected.ts";
import { frameText, type RecordedFrame } from "./variations.ts";

/** How much of a Gateway the inbox listens to; every test of this folder expects as much. */
export const layer: Layer = "rows";

const ttlMs = 1_800_000;
const ROW_GRACE_MS = 2_000;
const silent = { debug() {}, info() {}, warn() {}, error() {} };

/** One thing that happens to the connection called `gateway`. */
export type Step = { readonly gateway: string } & ({ readonly frame: RecordedFrame } | { readonly cut: true });

/** What came of it. */
export interface Played {
  readonly outcomes: readonly RunOutcome[];
  readonly messages: readonly ProactiveMessage[];
  /** What the handler was called with. */
  readonly delivered: readonly ProactiveMessage[];
  readonly stats: Readonly<InboxStats>;
}

/** Frames as steps of one connection. */
export function stepsOf(frames: readonly RecordedFrame[], gateway = "gateway"): readonly Step[] {
  return frames.map((frame) => ({ gateway, frame }));
}

/** Frames with the connection cut before the one at `position`, and taken up again at once. */
export function stepsWithCut(frames: readonly RecordedFrame[], position: number): readonly Step[] {
  return stepsOf(frames).toSpliced(position, 0, { gateway: "gateway", cut: true });
}

/**
 * Plays the steps, then lets the TTL pass and stops. With `recordedPace` the clock moves as it did
 * when the frames were recorded; no timer of this process is waited for either way.
 */
export async function play(steps: readonly Step[], { recordedPace = false } = {}): Promise<Played> {
  const clock = createTestClock(1_700_000_000_000);
  const connections = new Map(
    [...new Set(steps.map(({ gateway }) => gateway))].map((name) => [name, createConnection(name)]),
  );
  return collect([...connections.values()], clock, () => {
    let atMs = 0;
    for (const step of steps) {
      const connection = connections.get(step.gateway) as Connection;
      if ("cut" in step) connection.cut();
      else {
        if (recordedPace && step.frame.atMs > atMs) {
          clock.advance(step.frame.atMs - atMs);
          atMs = step.frame.atMs;
        }
        connection.frame(frameText(step.frame));
      }
    }
  });
}

/** Feeds the payloads of the chat events by hand, as a host does that has a connection of its own. */
export async function playByHand(frames: readonly RecordedFrame[]): Promise<Played> {
  return collect([], createTestClock(1_700_000_000_000), (inbox) => {
    for (const { frame } of frames) if (frame.event === "chat") inbox.handle(frame.payload);
  });
}

type Inbox = ReturnType<typeof createInbox>;

async function collect(sources: readonly Source[], clock: TestClock, act: (inbox: Inbox) => void): Promise<Played> {
  const outcomes: RunOutcome[] = [];
  const messages: ProactiveMessage[] = [];
  const delivered: ProactiveMessage[] = [];
  const inbox = createInbox({
    ...(sources.length > 0 && { source: sources }),
    clock,
    ttlMs,
    logger: silent,
    deliver: (message: ProactiveMessage) => void delivered.push(message),
  });
  inbox.outcomes$.subscribe((outcome) => outcomes.push(outcome));
  inbox.messages$.subscribe((message) => messages.push(message));
  await inbox.start();
  act(inbox);
  await turn();
  // The history is asked for a run whose row came and whose end did not, a second after the row.
  for (const ms of [ROW_GRACE_MS, ttlMs]) {
    clock.advance(ms);
    await turn();
  }
  const stats = { ...inbox.stats() };
  await inbox.stop();
  return { outcomes, messages, delivered, stats };
}

interface Connection extends Source {
  frame(text: string): void;
  /** Loses the link and has it back. */
  cut(): void;
}

/** A source in memory. After a cut the Gateway counts its frames from 1 again, as a real one does for each connection. */
function createConnection(name: string): Connection {
  let listener: SourceListener | undefined;
  let cuts = 0;
  let frameSeq = 0;
  const connect = (): void => {
    listener?.link({ type: "connect" });
    listener?.link({ type: "hello" });
  };
  return {
    name,
    open(opened) {
      listener = opened;
      connect();
    },
    async close() {
      listener = undefined;
    },
    frame(text) {
      listener?.frame(cuts === 0 ? text : renumbered(text, () => ++frameSeq));
    },
    cut() {
      cuts++;
      frameSeq = 0;
      listener?.link({ type: "lost", reason: "cut by the test" });
      connect();
    },
  };
}

/** The frame's own `seq`, where it has one, is the last thing in it. */
function renumbered(text: string, next: () => number): string {
  const end = text.lastIndexOf(',"seq":');
  return end !== -1 && /^,"seq":\d+\}$/.test(text.slice(end)) ? `${text.slice(0, end)},"seq":${next()}}` : text;
}

/** An outcome in the words of the expectations. */
export function told(outcome: RunOutcome): ExpectedOutcome {
  if (outcome.status === "dispatched") {
    const { runId, sessionKey, text } = outcome.message;
    return { status: "dispatched", runId, sessionKey, text };
  }
  const { runId, sessionKey = "", text } = outcome;
  if (outcome.status === "errored") {
    const { status, error, errorKind } = outcome;
    return { status, error, ...(errorKind !== undefined && { errorKind }), runId, sessionKey, text };
  }
  if (outcome.status !== "discarded") return { status: outcome.status, runId, sessionKey, text };
  const { status, reason } = outcome;
  return reason === "empty"
    ? { status, reason, runId, sessionKey, text: text as "" }
    : { status, reason, runId, sessionKey };
}

/** In the order of run ids, for plays in which runs end in another order. */
export function byRun(outcomes: readonly ExpectedOutcome[]): readonly ExpectedOutcome[] {
  return outcomes.toSorted((a, b) => (a.runId < b.runId ? -1 : a.runId > b.runId ? 1 : 0));
}

/** Leaves out what unsent runs had said so far, for plays in which some of it was lost. */
export function withoutPartialTexts(outcomes: readonly ExpectedOutcome[]): readonly object[] {
  return outcomes.map((outcome) => (outcome.status === "dispatched" ? outcome : { ...outcome, text: "not compared" }));
}

/** The messages among the outcomes. */
export function messagesOf(outcomes: readonly ExpectedOutcome[]): readonly ExpectedOutcome[] {
  return outcomes.filter(({ status }) => status === "dispatched");
}

/** Each message was told once, handed over once, and is one of the outcomes. */
export function expectOneHandoverEach({ outcomes, messages, delivered }: Played, where: string): void {
  const ids = outcomes.flatMap((outcome) => (outcome.status === "dispatched" ? [outcome.message.id] : [])).sort();
  expect(new Set(ids).size, where).toBe(ids.length);
  expect(messages.map(({ id }) => id).sort(), where).toEqual(ids);
  expect(delivered.map(({ id }) => id).sort(), where).toEqual(ids);
}
