import {
  createInbox,
  gatewaySource,
  type Inbox,
  type InboxOptions,
  type LinkStatus,
  type Logger,
  type ProactiveMessage,
  type RunOutcome,
} from "../../src/index.ts";
import { createHeard, type Heard } from "./heard.ts";
import { type JournalEntry, journaled } from "./journal.ts";
import { within } from "./within.ts";

/** What the scenarios see of an inbox, in this process or another. */
export interface TestedInbox {
  /** What the handler was called with, in that order. */
  readonly messages: Heard<ProactiveMessage>;
  /** What went between it and the Gateway, if that is noted. */
  journal(): readonly JournalEntry[];
}

/** An inbox of this process. */
export interface LocalInbox extends TestedInbox {
  readonly outcomes: Heard<RunOutcome>;
  /** Resolves when the link is live, now or later. `what` names the occasion in the error. */
  live(what: string): Promise<void>;
  /** The bytes of an attachment. */
  readonly download: Inbox["download"];
  stop(): Promise<void>;
}

/** The Gateway's name in every inbox of the live tests. */
export const GATEWAY_NAME = "live";

const told = new Set<string>();

/** Prints what a Gateway sends that no tested one has sent, each once for all inboxes. */
const driftPrinter: Logger = {
  debug() {},
  info() {},
  error() {},
  warn(fields, text) {
    const { what, name } = fields as { readonly what?: string; readonly name?: string };
    if (what === undefined || name === undefined || told.has(`${what} ${name}`)) return;
    told.add(`${what} ${name}`);
    process.stdout.write(`DRIFT: ${text}: ${what} ${name}\n`);
  },
};

const START_TIMEOUT_MS = 120_000;

/** Starts an inbox as a host would, and resolves when its link is live. `note` keeps a journal. */
export async function openInbox(
  url: string,
  token: string,
  options: InboxOptions = {},
  { note = false }: { note?: boolean } = {},
): Promise<LocalInbox> {
  const messages = createHeard<ProactiveMessage>();
  const outcomes = createHeard<RunOutcome>();
  const changes = createHeard<LinkStatus>();
  const entries: JournalEntry[] = [];
  const gateway = { url, token, name: GATEWAY_NAME };
  const inbox = createInbox({
    ...(note ? { source: journaled(gatewaySource(gateway), (entry) => entries.push(entry)) } : { gateway }),
    deliver: (message) => messages.add(message),
    logger: driftPrinter,
    ...options,
  });
  inbox.outcomes$.subscribe((outcome) => outcomes.add(outcome));
  inbox.links$.subscribe((status) => changes.add(status));
  const live = async (what: string): Promise<void> => {
    if (inbox.links()[0]?.state === "live") return;
    await changes.when(
      `the inbox's link to be live ${what}`,
      (status) => status.state === "live",
      changes.items.length,
    );
  };
  await within(START_TIMEOUT_MS, "the inbox to start", inbox.start());
  await live("at its start");
  return {
    messages,
    journal: () => entries,
    outcomes,
    live,
    download: (id, options) => inbox.download(id, options),
    stop: () => inbox.stop(),
  };
}
