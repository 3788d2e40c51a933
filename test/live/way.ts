import type { ProactiveMessage } from "../../src/index.ts";
import { handedOver } from "./acts.ts";
import type { JournalEntry } from "./journal.ts";
import { startProxy, type TcpProxy } from "./proxy.ts";
import type { Expectation, Scenario, Stage } from "./scenario.ts";
import { type LocalInbox, openInbox } from "./tested-inbox.ts";

/** One way an agent can speak. It is a scenario twice: heard live, and missed and caught up. */
export interface Way {
  readonly name: string;
  readonly place: Scenario["place"];
  /** Why it cannot be heard live; see {@link Scenario.gap}. */
  heardGap?(version: string): string | undefined;
  /** Why it cannot be caught up. */
  missedGap?(version: string): string | undefined;
  /** Makes what it needs while the inbox still listens, and resolves with what makes the agent speak. */
  prepare(stage: Stage): Promise<Speech>;
}

/** Has the agent speak, and resolves once the driving connection has seen that it did, and that the run is over. */
export type Speech = () => Promise<Spoken>;

/** What the agent said. */
export interface Spoken {
  readonly sessionKey: string;
  /** All that the inbox must have handed over of the session, in order; the last of it is new. */
  readonly texts: readonly string[];
  /** What the new message must say of itself, however it was found. */
  readonly like?: Partial<ProactiveMessage>;
  /** The same in its place when it is caught up. */
  readonly likeMissed?: Partial<ProactiveMessage>;
  readonly transcriptKey?: string;
}

/** Both scenarios of each way. */
export function scenariosOf(ways: readonly Way[]): readonly Scenario[] {
  return ways.flatMap((way) => [
    scenario(way, way.name, way.heardGap, (stage) => heard(way, stage)),
    scenario(way, `missed: ${way.name}`, way.missedGap, (stage) => missed(way, stage)),
  ]);
}

/** An inbox of its own whose connection can be cut. */
export async function behindProxy(stage: Stage): Promise<{ readonly inbox: LocalInbox; readonly proxy: TcpProxy }> {
  const proxy = await startProxy(stage.gateway.port);
  stage.defer(() => proxy.close());
  const inbox = await openInbox(proxy.url, stage.gateway.token, {}, { note: true });
  stage.defer(() => inbox.stop());
  return { inbox, proxy };
}

function scenario({ place }: Way, name: string, gap: Scenario["gap"], play: Scenario["play"]): Scenario {
  return { name, place, play, ...(gap && { gap }) };
}

async function heard(way: Way, stage: Stage): Promise<readonly Expectation[]> {
  const speak = await way.prepare(stage);
  return [await expectation(stage.inbox, await speak())];
}

async function missed(way: Way, stage: Stage): Promise<readonly Expectation[]> {
  const { inbox, proxy } = await behindProxy(stage);
  const speak = await way.prepare({ ...stage, inbox });
  proxy.cut();
  const spoken = await speak();
  const before = inbox.journal().length;
  proxy.mend();
  const { likeMissed: like = spoken.like, ...rest } = spoken;
  const caughtUp = { ...rest, ...(like && { like }) };
  // The inbox that was never cut has heard it, too.
  const expectations = await Promise.all([expectation(inbox, caughtUp), expectation(stage.inbox, spoken)]);
  checkRecovered(inbox, spoken, before);
  return expectations;
}

/**
 * Throws when the last text is not marked as recovered, though nothing of it came live since `before`, a number of the
 * journal's entries. A busy Gateway may send a row or the end after all that was waited for.
 */
export function checkRecovered(inbox: LocalInbox, { sessionKey, texts }: Spoken, before: number): void {
  const isSign = ({ words, ...entry }: JournalEntry): boolean =>
    entry.sessionKey === sessionKey && /^(?:row \d+ assistant|chat final|sessions\.changed end)/.test(words);
  const start = texts.at(-1)?.slice(0, 60) ?? "";
  const message = inbox.messages.items.find((one) => one.sessionKey === sessionKey && one.text.startsWith(start));
  if (message?.recovered === true) return;
  if (!inbox.journal().slice(before).some(isSign)) throw new Error(`"${start}" was missed, and is not recovered`);
}

async function expectation(inbox: LocalInbox, spoken: Spoken): Promise<Expectation> {
  const { sessionKey, texts, like, transcriptKey } = spoken;
  const { origin } = await handedOver(inbox, sessionKey, texts.at(-1) ?? "", like);
  return { inbox, sessionKey, texts, origin, ...(transcriptKey !== undefined && { transcriptKey }) };
}
