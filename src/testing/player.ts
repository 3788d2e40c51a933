import { optionError } from "../errors.ts";
import type { Clock } from "../kit/clock.ts";
import { type RecordedFrame, readRecording } from "./recordings.ts";

/** The options of `FakeGateway.play`. */
export interface PlayOptions {
  /** How many times as fast as recorded, above 0. Default `Infinity`: without pauses. */
  readonly speed?: number;
  /**
   * Returns the frames to play: fewer, repeated or in another order. It gets the event frames, and a
   * `connect.challenge` where the recorded connection was lost and came back.
   */
  readonly edit?: (frames: readonly RecordedFrame[]) => readonly RecordedFrame[];
}

/** What the player needs of its Gateway. */
export interface Stage {
  readonly clock: Clock;
  /** Resolves when there is an accepted client. */
  audience(): Promise<void>;
  event(name: string, payload: object): void;
  /** Takes an answer that the recorded client got, for the transcripts. */
  recall(answer: unknown): void;
  /** Closes every connection once all is sent. */
  drop(): void;
  flushed(): Promise<void>;
  isClosed(): boolean;
}

// A long recording must not fill the memory before a slow reader.
const FRAMES_PER_FLUSH = 64;

/** Plays one recording, or several merged by time. Resolves when all is sent. */
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
      // The time that the client takes to reconnect is not in the recording.
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

/** The answers after each reconnect, by its challenge. The Gateway had their rows when the client came back. */
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
