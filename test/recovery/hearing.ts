/** A fake Gateway, and an inbox that listens to it over a real socket. */
import { afterEach } from "vitest";
import { createInbox } from "../../src/inbox.ts";
import type { Inbox } from "../../src/inbox-api.ts";
import type { Ledger } from "../../src/ledger/ledger.ts";
import { createMemoryLedger } from "../../src/ledger/memory.ts";
import type { InboxOptions } from "../../src/options.ts";
import { createFakeGateway, createTestClock, type FakeGateway, type TestClock } from "../../src/testing/index.ts";
import type { ProactiveMessage, RunOutcome } from "../../src/types.ts";
import { turn, until } from "../helpers/turns.ts";
import { type ReturningSource, returningSource } from "./returning-source.ts";

/** The time at which tests begin. Gateway and inbox have one clock. */
export const NOON = 1_800_000_000_000;

/** The key of a conversation that Collavre would read. */
export const topic = (id: number): string => `agent:main:collavre:42:creative:100:topic:${id}`;

const open: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

/** A fake Gateway and its clock. */
export interface Fake {
  readonly gateway: FakeGateway;
  readonly clock: TestClock;
}

/** A fake Gateway on a clock of its own. It is closed after the test. */
export async function openGateway(): Promise<Fake> {
  const clock = createTestClock(NOON);
  const gateway = await createFakeGateway({ clock });
  open.push(() => gateway.close());
  return { gateway, clock };
}

/** An inbox, and what has come of it so far. */
export interface Hearing {
  readonly inbox: Inbox;
  readonly source: ReturningSource;
  readonly messages: ProactiveMessage[];
  readonly outcomes: RunOutcome[];
  /** Session key and text of each message. */
  readonly told: () => readonly (readonly [string, string])[];
  /** Resolves once `holds` does. */
  until(holds: () => boolean, what: string): Promise<void>;
  /** Resolves when there are `count` messages. */
  toldOf(count: number): Promise<void>;
  /** Reconnects after a cut. Resolves when the inbox has caught up. */
  comeBack(): Promise<void>;
}

/** An inbox that listens to the Gateway. It is stopped after the test. */
export async function listen(
  { gateway, clock }: Fake,
  options: InboxOptions = {},
  { start = true, canAsk = true, scopes }: { start?: boolean; canAsk?: boolean; scopes?: readonly string[] } = {},
): Promise<Hearing> {
  const { request, ...deaf } = returningSource(gateway, scopes);
  const source: ReturningSource = canAsk && request !== undefined ? { ...deaf, request } : deaf;
  const inbox = createInbox({ source, clock, ...options });
  open.push(() => inbox.stop({ drainMs: 0 }));
  const messages: ProactiveMessage[] = [];
  const outcomes: RunOutcome[] = [];
  inbox.messages$.subscribe((message) => messages.push(message));
  inbox.outcomes$.subscribe((outcome) => outcomes.push(outcome));
  const isLive = () => inbox.links()[0]?.state === "live";
  if (start) await inbox.start();
  return {
    inbox,
    source,
    messages,
    outcomes,
    told: () => messages.map(({ sessionKey, text }) => [sessionKey, text]),
    until,
    toldOf: (count) => until(() => messages.length >= count, `${count} messages, there are ${messages.length}`),
    async comeBack() {
      await until(() => !isLive(), "the loss of the link");
      await source.comeBack();
      await until(isLive, "the link to be live");
    },
  };
}

/** A fake Gateway with these sessions, and an inbox that listens to it. Both end with the test. */
export async function openHearing(
  options: InboxOptions = {},
  sessions: readonly string[] = [],
): Promise<{ fake: Fake; gateway: FakeGateway; clock: TestClock; hearing: Hearing }> {
  const fake = await openGateway();
  for (const key of sessions) fake.gateway.transcripts.session(key);
  return { fake, ...fake, hearing: await listen(fake, options) };
}

/** Resolves when the inbox has read all that the Gateway has sent. */
export async function heard(gateway: FakeGateway, { inbox }: Pick<Hearing, "inbox">): Promise<void> {
  const { frames } = inbox.stats();
  const asked = gateway.requests.length;
  gateway.emit("health", { ok: true });
  await gateway.flushed();
  await until(() => inbox.stats().frames > frames, "the last frame");
  // What follows from the last frame takes one more turn.
  await until(() => gateway.requests.length === asked || inbox.stats().recoveryPending === 0, "the answers");
  await turn();
}

/** Adds a row to the transcript and sends it to all, without a final. */
export function tellRow(gateway: FakeGateway, sessionKey: string, row: Record<string, unknown>, runId?: string): void {
  const { row: message, id, seq } = gateway.transcripts.add(sessionKey, row, runId === undefined ? {} : { runId });
  gateway.emit("session.message", { sessionKey, message, messageId: id, messageSeq: seq });
}

/** Lets five seconds pass, and waits for what follows. Every row has waited for its final by then. */
export async function later(
  { gateway, clock }: { gateway: FakeGateway; clock: TestClock },
  hearing: Hearing,
): Promise<void> {
  for (let second = 0; second < 5; second += 1) {
    await heard(gateway, hearing);
    clock.advance(1_000);
    await heard(gateway, hearing);
  }
}

/** A ledger in memory that stays open when its inbox is stopped. */
export function lastingLedger(clock: TestClock, retainMs?: number): Ledger {
  const ledger = createMemoryLedger({ clock, ...(retainMs !== undefined && { retainMs }) });
  return { ...ledger, close: async () => {} };
}

/** The parameters of every request of this method. */
export function asked(gateway: FakeGateway, method: string): readonly Readonly<Record<string, unknown>>[] {
  return gateway.requests.filter((request) => request.method === method).map(({ params }) => params);
}
