import { createOurs } from "./ours.ts";
import { checkMessages } from "./rival.ts";
import { deltaHeavy } from "./traffic.ts";

/** What to measure in one process. */
export interface LongReplyTask {
  readonly words: number;
  readonly rounds: number;
}

/** In microseconds per delta, medians over the deltas. */
export interface LongReply {
  /** Size of the last delta's frame, in characters. */
  readonly frameChars: number;
  readonly parseUs: number;
  /** All our work except `JSON.parse`. */
  readonly oursUs: number;
  /** The same for a delta of a few words in between. */
  readonly besideUs: number;
}

const DELTAS = 200;

/** Overwritten before each delta, so that the processor's caches are equally cold for all. */
const cold = new Uint8Array(4 * 2 ** 20);

/** One reply of `words` words in 200 deltas. Each delta repeats the text so far, as protocol 4 does. */
export async function measureLongReply({ words, rounds }: LongReplyTask): Promise<LongReply> {
  const ours = createOurs();
  const parse: number[] = [];
  const beyond: number[] = [];
  const beside: number[] = [];
  let frameChars = 0;
  let asides = 0;

  /** A parsed delta of a run with few words. */
  function aside(): unknown {
    asides += 1;
    return JSON.parse(frameOf("aside", asides, "a few words", " words"));
  }

  function time(parsed: unknown): bigint {
    cold.fill(asides);
    const begin = process.hrtime.bigint();
    ours.payload(parsed);
    return process.hrtime.bigint() - begin;
  }

  function reply(round: number, measured: boolean): void {
    const runId = `long-${words}-${round}`;
    let text = "";
    for (let seq = 1; seq <= DELTAS; seq++) {
      const piece = " word".repeat(Math.ceil(words / DELTAS));
      text += piece;
      const frame = frameOf(runId, seq, text, piece);
      frameChars = frame.length;
      const begin = process.hrtime.bigint();
      const parsed: unknown = JSON.parse(frame);
      const parseNs = process.hrtime.bigint() - begin;
      // The first work after a large parse pays for its garbage. This call takes that cost, so that neither measurement
      // has it.
      time(aside());
      const [oursNs, asideNs] =
        seq % 2 === 0 ? [time(parsed), time(aside())] : ([time(aside()), time(parsed)].reverse() as [bigint, bigint]);
      // The first deltas are short in every reply. Costs that grow with the text show in the second half.
      if (!measured || seq <= DELTAS / 2) continue;
      parse.push(Number(parseNs) / 1_000);
      beyond.push(Number(oursNs) / 1_000);
      beside.push(Number(asideNs) / 1_000);
    }
    ours.payload(JSON.parse(frameOf(runId, DELTAS + 1, text)));
    checkMessages(ours.messages(), [runId], text);
  }

  // Short replies first, so that the code is compiled before a long one begins.
  const warmUp = deltaHeavy();
  for (let i = 0; i < 50; i++) for (const frame of warmUp.frames) ours.take(frame.join(`warm-up-${i}`));
  ours.messages();
  reply(0, false);
  for (let round = 1; round <= rounds; round++) reply(round, true);
  void ours.close();
  return { frameChars, parseUs: median(parse), oursUs: median(beyond), besideUs: median(beside) };
}

function frameOf(runId: string, seq: number, text: string, deltaText?: string): string {
  const message = { role: "assistant", content: [{ type: "text", text }], timestamp: 1_795_338_553_679 };
  const state = deltaText === undefined ? { state: "final" } : { state: "delta", deltaText };
  const payload = { runId, sessionKey: "agent:main:main", agentId: "main", seq, ...state, message };
  return Buffer.from(JSON.stringify({ type: "event", event: "chat", payload, seq })).toString("latin1");
}

function median(values: number[]): number {
  values.sort((a, b) => a - b);
  return values[Math.floor(values.length / 2)] ?? Number.NaN;
}
