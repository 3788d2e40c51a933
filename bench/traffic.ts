import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Recordings of a slow model that speaks word by word, and of two short runs. */
const folder = new URL("../../src/testing/recordings/", import.meta.url);

interface ChatPayload {
  readonly runId: string;
  readonly seq: number;
  readonly state: string;
  readonly deltaText?: string;
  readonly message?: object;
}

interface ChatFrame {
  readonly payload: ChatPayload;
  readonly seq: number;
}

/** One kind of run, and its frames for any run id. */
export interface RunKind {
  readonly name: "delta-heavy" | "short";
  /** How many deltas come before the final. */
  readonly deltas: number;
  /** The text that every run of this kind must have in the end. */
  readonly text: string;
  /** Each frame, as the text before and after the run's id. */
  readonly frames: readonly (readonly [string, string])[];
}

const ID = "@run-id@";

/** The chat frames of the first run in a recording that was heard from its first delta to its final. */
function recordedRun(name: string): readonly ChatFrame[] {
  const lines = readFileSync(fileURLToPath(new URL(`${name}.ndjson`, folder)), "utf8").split("\n");
  const chats = lines
    .filter((line) => line.includes('"event":"chat"'))
    .map((line) => (JSON.parse(line) as { frame: ChatFrame }).frame);
  const first = chats[0]?.payload.runId;
  return chats.filter(({ payload: { runId, state } }) => runId === first && (state === "delta" || state === "final"));
}

function withText(frame: ChatFrame, seq: number, text: string, deltaText?: string): readonly [string, string] {
  const message = { ...frame.payload.message, content: [{ type: "text", text }] };
  const spoken = deltaText === undefined ? {} : { deltaText };
  const payload = { ...frame.payload, runId: ID, seq, ...spoken, message };
  const [before = "", after = ""] = JSON.stringify({ ...frame, payload }).split(ID);
  return [before, after];
}

/**
 * A run of `deltas` deltas and a final, made from a recorded run. Its pieces follow each other and start again at the
 * end. Each delta repeats the text so far, as protocol 4 does.
 */
function runKind(name: RunKind["name"], recording: string, deltas: number): RunKind {
  const frames = recordedRun(recording);
  const spoken = frames.slice(0, -1);
  const last = frames.at(-1);
  if (last?.payload.state !== "final" || spoken.length === 0) throw new Error(`${recording} holds no whole run`);
  const made: (readonly [string, string])[] = [];
  let text = "";
  for (let i = 0; i < deltas; i++) {
    const frame = spoken[i % spoken.length] as ChatFrame;
    const piece = `${i >= spoken.length && i % spoken.length === 0 ? "\n" : ""}${frame.payload.deltaText ?? ""}`;
    text += piece;
    made.push(withText(frame, i + 3, text, piece));
  }
  // As on the wire, the final may share its `seq` with the last delta.
  made.push(withText(last, deltas + 2, text));
  return { name, deltas, text, frames: made };
}

/** Two hundred deltas per run, word by word. In `n1` a model says a word every 250 ms. */
export const deltaHeavy = (): RunKind => runKind("delta-heavy", "n1-sigterm-mid-run", 200);

/** Two deltas and a final, as recorded in `c6`. */
export const short = (): RunKind => runKind("short", "c6-wake-custom-session", 2);

/** One frame, and the id of the run that it ends, if any. */
export interface Spoken {
  readonly frame: string;
  readonly ends: string | undefined;
}

interface Speaker {
  runId: string;
  /** The index of the next frame. */
  step: number;
}

const scratch = Buffer.alloc(64 * 1_024);

/**
 * One flat string, made from bytes like text from a socket. A string joined with `+` would be flattened by its first
 * reader, who would pay for it, and would leave garbage.
 */
function joined(...parts: readonly string[]): string {
  let end = 0;
  for (const part of parts) end += scratch.write(part, end, "latin1");
  return scratch.toString("latin1", 0, end);
}

/** Endless frames of many runs at the same time. A run that has ended is replaced by a new one. */
export class Traffic {
  /** The ids of the runs that have ended since the last call of `takeEnded`. */
  private ended: string[] = [];
  private readonly speakers: Speaker[] = [];
  private begun = 0;
  private random: number;
  readonly kind: RunKind;

  constructor(kind: RunKind, live: number, seed = 1) {
    this.kind = kind;
    this.random = seed;
    for (let i = 0; i < live; i++) this.speakers.push({ runId: this.newId(), step: this.below(kind.deltas) });
  }

  /** The ids of the current runs. */
  get runIds(): string[] {
    return this.speakers.map(({ runId }) => runId);
  }

  /** One delta of every run. Each run is somewhere between its beginning and its end. */
  *opening(chunk = 5_000): Generator<string[]> {
    for (let from = 0; from < this.speakers.length; from += chunk) {
      yield this.speakers.slice(from, from + chunk).map((speaker) => this.speak(speaker).frame);
    }
  }

  /** The next frames, each of a run chosen at random. */
  next(count: number): string[] {
    const frames: string[] = [];
    for (let i = 0; i < count; i++) frames.push(this.one().frame);
    return frames;
  }

  /** The next frame, of a run chosen at random. */
  one(): Spoken {
    return this.speak(this.speakers[this.below(this.speakers.length)] as Speaker);
  }

  takeEnded(): string[] {
    const { ended } = this;
    this.ended = [];
    return ended;
  }

  private speak(speaker: Speaker): Spoken {
    const { runId, step } = speaker;
    const [before, after] = this.kind.frames[step] as readonly [string, string];
    speaker.step += 1;
    const isLast = speaker.step === this.kind.frames.length;
    if (isLast) {
      this.ended.push(runId);
      speaker.runId = this.newId();
      speaker.step = 0;
    }
    return { frame: joined(before, runId, after), ends: isLast ? runId : undefined };
  }

  /** Has the shape of the UUIDs of real runs. */
  private newId(): string {
    this.begun += 1;
    const digits = this.begun.toString(16).padStart(12, "0");
    return `${((this.begun * 2_654_435_761) >>> 0).toString(16).padStart(8, "0")}-9c3e-4d17-8a52-${digits}`;
  }

  /** A number from 0 to `limit - 1`, from the same sequence for every rival. */
  private below(limit: number): number {
    this.random = (Math.imul(this.random, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((this.random / 4_294_967_296) * limit);
  }
}
