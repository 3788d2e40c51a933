import type { Origin } from "../../src/index.ts";
import type { LiveGateway } from "./gateway.ts";
import type { Operator } from "./operator.ts";
import type { StubModel } from "./stub-model.ts";
import type { LocalInbox, TestedInbox } from "./tested-inbox.ts";

/** One way an agent can speak, or one way to miss it. */
export interface Scenario {
  readonly name: string;
  /**
   * - `"quiet"`: one after the other, before the rest. The Gateway holds reminders, heartbeats and wakes
   *   back for up to a minute while its agent is busy, and from the sixth within a minute on.
   * - `"crowd"`: several at once, each in sessions of its own.
   * - `"gateway"`: one after the other, after the rest; the Gateway itself ends.
   */
  readonly place: "quiet" | "crowd" | "gateway";
  /**
   * Why this cannot work with a release, whatever we do; undefined where it must work. It is played
   * nevertheless: a gap that has closed is told.
   */
  gap?(version: string): string | undefined;
  /** What is otherwise with a release, where it works all the same. */
  remark?(version: string): string | undefined;
  /** Plays it, and returns when everything it expects has been heard. Throws when that does not come. */
  play(stage: Stage): Promise<readonly Expectation[]>;
}

/** What the scenarios play with. */
export interface Stage {
  readonly operator: Operator;
  readonly gateway: LiveGateway;
  readonly model: StubModel;
  /** The inbox that listens from before the first scenario until after the last. */
  readonly inbox: LocalInbox;
  /** Runs when no scenario needs it any more, last first. */
  defer(cleanUp: () => Promise<unknown>): void;
}

/** What an inbox must have handed over of a session: these texts, each once, and nothing else. */
export interface Expectation {
  readonly inbox: TestedInbox;
  readonly sessionKey: string;
  readonly texts: readonly string[];
  /** What the last of them came with. */
  readonly origin?: Origin;
  /** Where the Gateway's own transcript of it is, when that is another key. */
  readonly transcriptKey?: string;
}
