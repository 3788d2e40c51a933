/**
 * The ways in which a recording is played changed. Pure functions on lists of frames: none of them
 * may change which messages come out in the end.
 */
import { readRecording } from "../../src/testing/recordings.ts";
import { generationNames, generationPath } from "./expected-generations.ts";

/** One recorded frame, read. */
export interface RecordedFrame {
  /** When it came, in ms since the recording began. */
  readonly atMs: number;
  readonly frame: WireFrame;
}

interface WireFrame {
  readonly type: string;
  readonly event?: string;
  readonly payload?: WirePayload;
  readonly seq?: number;
}

interface WirePayload {
  readonly runId?: string;
  readonly state?: string;
  readonly seq?: number;
  readonly sessionKey?: string;
  readonly deltaText?: string;
  readonly message?: {
    readonly content?: unknown;
    readonly model?: string;
    readonly __openclaw?: { readonly runId?: string; readonly transcriptPosition?: object };
  };
}

const loaded = new Map<string, readonly RecordedFrame[]>();

/** The frames of a recording, read once. */
export function loadFrames(recording: string): readonly RecordedFrame[] {
  let frames = loaded.get(recording);
  if (frames === undefined) {
    const file = generationNames().includes(recording) ? generationPath(recording) : recording;
    frames = readRecording(file).map(({ t, frame }) => ({ atMs: t, frame: frame as unknown as WireFrame }));
    loaded.set(recording, frames);
  }
  return frames;
}

const texts = new WeakMap<WireFrame, string>();

/** The frame as it crosses the wire; made once, since a long reply is sent through hundreds of variations. */
export function frameText({ frame }: RecordedFrame): string {
  let text = texts.get(frame);
  if (text === undefined) {
    text = JSON.stringify(frame);
    texts.set(frame, text);
  }
  return text;
}

/** Whether the frame is a chat event, of `state` when one is given. */
export function isChat({ frame }: RecordedFrame, state?: string): boolean {
  return frame.event === "chat" && (state === undefined || frame.payload?.state === state);
}

/** The run a frame speaks of, whatever its event; undefined for what belongs to the connection. */
export function runOf({ frame }: RecordedFrame): string | undefined {
  return frame.payload?.runId ?? frame.payload?.message?.__openclaw?.runId;
}

/** Every frame, and at once again. */
export function everyFrameTwice(frames: readonly RecordedFrame[]): readonly RecordedFrame[] {
  return frames.flatMap((frame) => [frame, frame]);
}

/** Where the deltas stand. */
export function deltaPositions(frames: readonly RecordedFrame[]): readonly number[] {
  return frames.flatMap((frame, position) => (isChat(frame, "delta") ? [position] : []));
}

/** All frames but one. */
export function without(frames: readonly RecordedFrame[], position: number): readonly RecordedFrame[] {
  return frames.toSpliced(position, 1);
}

/** Deltas as an append-only Gateway sends them. Finals keep their message. */
export function withoutDeltaMessages(frames: readonly RecordedFrame[]): readonly RecordedFrame[] {
  return frames.map((frame) => (isChat(frame, "delta") ? withoutField(frame, "message") : frame));
}

/** Deltas as a Gateway sends them that repeats the text so far and nothing else. */
export function withoutDeltaTexts(frames: readonly RecordedFrame[]): readonly RecordedFrame[] {
  return frames.map((frame) => (isChat(frame, "delta") ? withoutField(frame, "deltaText") : frame));
}

function withoutField(recorded: RecordedFrame, field: "message" | "deltaText"): RecordedFrame {
  const { [field]: _, ...payload } = recorded.frame.payload as WirePayload;
  return { ...recorded, frame: { ...recorded.frame, payload } };
}

/**
 * Frames of different runs in any order among each other, those of one run (or of none) in their own. Where rows
 * name no run, their place in the session tells it: those of one session stay in order.
 */
export function shuffledByRun(frames: readonly RecordedFrame[], seed: number): readonly RecordedFrame[] {
  const laneOf = frames.some(namesNoRun) ? ({ frame }: RecordedFrame) => frame.payload?.sessionKey : runOf;
  const lanes = new Map<string | undefined, RecordedFrame[]>();
  for (const frame of frames) {
    const lane = lanes.get(laneOf(frame));
    if (lane === undefined) lanes.set(laneOf(frame), [frame]);
    else lane.push(frame);
  }
  return interleaved([...lanes.values()], seed);
}

// A row as before 2026.8: since then all have a position in the transcript, also those that belong to no run.
function namesNoRun({ frame: { event, payload } }: RecordedFrame): boolean {
  const mark = payload?.message?.__openclaw;
  return event === "session.message" && mark?.runId === undefined && mark?.transcriptPosition === undefined;
}

/** Several lists woven into one, each in its own order. */
export function interleaved<T>(lists: readonly (readonly T[])[], seed: number): readonly T[] {
  const random = seededRandom(seed);
  const open = lists.filter((list) => list.length > 0).map((list) => ({ list, next: 0 }));
  const woven: T[] = [];
  while (open.length > 0) {
    const index = Math.floor(random() * open.length);
    const lane = open[index] as { readonly list: readonly T[]; next: number };
    woven.push(lane.list[lane.next++] as T);
    if (lane.next === lane.list.length) open.splice(index, 1);
  }
  return woven;
}

/** Numbers in [0, 1) that depend on `seed` alone (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
