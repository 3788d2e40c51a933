import { createHash } from "node:crypto";
import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import { messageId } from "../../src/runs/message-id.ts";
import type { FakeGateway, FakeRun } from "../../src/testing/index.ts";
import type { Random } from "./random.ts";

/** The name under which every host knows the Gateway: part of the message ids. */
export const GATEWAY = "chaos";

/** What must be handed over: the digest of each message's text, by message id. */
export type Sent = ReadonlyMap<string, string>;

/** The agents of a fake Gateway, who say uniquely marked things by a seeded plan. */
export interface Emitter {
  readonly sent: Sent;
  /**
   * Starts runs, at most `perSecond`, while `goOn(started)` says so, and waits while `isAhead()`;
   * ends those that are open; resolves when all is sent.
   */
  emit(perSecond: number, goOn: (started: number) => boolean, isAhead: () => boolean): Promise<void>;
}

/** How many runs go on at once, all sessions together: their frames interleave. */
const OPEN_RUNS = 40;
const WORDS = ["sunrise", "über", "naïve", "日本語", "🙂", "kettle", '"quoted"', "back\\slash", "line\nbreak", "end."];

interface OpenRun {
  readonly run: FakeRun;
  readonly pieces: string[];
  readonly text: string;
}

/** The digest by which a text is compared. */
export function digestOf(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}

/** Nothing is said before `emit`. */
export function createEmitter(gateway: FakeGateway, random: Random, sessions: number): Emitter {
  const sent = new Map<string, string>();
  const open: OpenRun[] = [];
  let started = 0;

  function note(runId: string, text: string): void {
    sent.set(messageId(GATEWAY, runId), digestOf(text));
  }

  function textOf(number: number): string {
    const words = random.chance(0.003) ? 1_500 : 2 + random.below(12);
    return `run ${number}: ${Array.from({ length: words }, () => random.pick(WORDS)).join(" ")}`;
  }

  function start(): void {
    started += 1;
    const sessionKey = `agent:main:chaos:${random.below(sessions)}`;
    const text = textOf(started);
    const kind = random.next();
    if (kind < 0.1) return note(gateway.say(text, { sessionKey, origin: "inject" }), text);
    const origin = kind < 0.25 ? "wake" : kind < 0.4 ? "cron" : "agent";
    const run = gateway.run({ sessionKey, origin });
    // A run that has nothing to say ends without ever having said anything.
    if (random.chance(0.02)) return void open.push({ run, pieces: [], text: "" });
    const at = random.below(text.length);
    open.push({ run, pieces: [text.slice(0, at), text.slice(at)], text });
  }

  function advance(index: number): void {
    const { run, pieces, text } = open[index] as OpenRun;
    const piece = pieces.shift();
    if (piece !== undefined) return void (piece !== "" && run.delta(piece));
    open.splice(index, 1);
    const end = random.next();
    if (end < 0.03) return run.error();
    if (end < 0.05) return run.abort();
    // Noted first: a host may be quicker than we are.
    if (text !== "") note(run.runId, text);
    run.final(text);
  }

  return {
    sent,
    async emit(perSecond, goOn, isAhead) {
      const from = { at: performance.now(), started };
      while (open.length > 0 || goOn(started)) {
        for (let steps = 0; steps < 50; steps += 1) {
          if (open.length < OPEN_RUNS && goOn(started)) start();
          if (open.length > 0) advance(random.below(open.length));
        }
        await gateway.flushed();
        await turn();
        const aheadMs = ((started - from.started) / perSecond) * 1_000 - (performance.now() - from.at);
        if (aheadMs > 1) await sleep(aheadMs);
        while (goOn(started) && isAhead()) await sleep(10);
      }
    },
  };
}
