import { optionError } from "../errors.ts";
import type { Clock } from "../kit/clock.ts";
import { type RecordedFrame, readRecording } from "./recordings.ts";

/** How to play a recording. */
export interface PlayOptions {
  /** 1 is as recorded, 10 ten times as fast. Default `Infinity`: no pauses. */
  readonly speed?: number;
  /**
   * Changes what is played: leave frames out, repeat them, reorder them. It gets the event frames
   * and, where the recorded connection was lost, the `connect.challenge` of its successor.
   */
  readonly edit?: (frames: readonly RecordedFrame[]) => readonly RecordedFrame[];
}

/** What playing needs of its Gateway. */
export interface Stage {
  readonly clock: Clock;
  /** Resolves when a client is past hello; at once when one is. */
  audience(): Promise<void>;
  event(name: string, payload: object): void;
  /** An answer that the recorded client got: what the Gateway knew then. */
  recall(answer: unknown): void;
  /** Closes every connection, after what was sent. */
  drop(): void;
  flushed(): Promise<void>;
  isClosed(): boolean;
}

// Between flushes, so that a long recording does not pile up in memory before a slow reader.
const FRAMES_PER_FLUSH = 64;

/** Plays one recording, or several merged by time, and resolves when all was sent. */
export async function play(
  stage: Stage,
  recordings: string | readonly string[],
  { speed = Infinity, edit }: PlayOptions,
): Promise<void> {
  if (!(speed > 0)) throw optionError("speed", "a number > 0", speed);
  const recorded = [recordings].flat().map(readRecording);
  const frames = merge(recorded.map(playable));
  const answers = new Map(recorded.flatMap(answersAfterLoss));
  const { clock } = stage;
  let unflushed = 0;
  await stage.audience();
  let beganAt = clock.now();
  for (const { t, frame } of edit === undefined ? frames : edit(frames)) {
    if (stage.isClosed()) return;
    const pauseMs = beganAt + t / speed - clock.now();
    if (pauseMs >= 1) await pause(clock, pauseMs);
    if (frame["event"] === "connect.challenge") {
      stage.drop();
      for (const answer of answers.get(frame) ?? []) stage.recall(answer);
      await stage.audience();
      // How long the client took to come back is no part of the recording.
      beganAt = clock.now() - t / speed;
      continue;
    }
    stage.event(String(frame["event"]), (frame["payload"] ?? {}) as object);
    unflushed += 1;
    if (unflushed % FRAMES_PER_FLUSH === 0) await stage.flushed();
  }
  await stage.flushed();
}

function playable(recorded: readonly RecordedFrame[]): readonly RecordedFrame[] {
  const events = recorded.filter(({ frame }) => frame["type"] === "event");
  return events[0]?.frame["event"] === "connect.challenge" ? events.slice(1) : events;
}

/** What was answered after each reconnect, by its challenge: the Gateway knew it already when the client came back. */
function answersAfterLoss(recorded: readonly RecordedFrame[]): readonly (readonly [object, unknown[]])[] {
  const losses: [object, unknown[]][] = [];
  for (const [index, { frame }] of recorded.entries()) {
    if (index > 0 && frame["event"] === "connect.challenge") losses.push([frame, []]);
    else if (frame["type"] === "res") losses.at(-1)?.[1].push(frame["payload"]);
  }
  return losses;
}

function merge(recordings: readonly (readonly RecordedFrame[])[]): readonly RecordedFrame[] {
  return recordings.length === 1 ? (recordings[0] ?? []) : recordings.flat().sort((a, b) => a.t - b.t);
}

function pause(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => clock.setTimeout(() => resolve(), ms));
}
