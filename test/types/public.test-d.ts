// Types that users rely on. Nothing here runs: `npm run types` checks it, and an error is a failed test.

import { Queue } from "bullmq";
import {
  type CollavreJob,
  type CollavreSession,
  collavre,
  collavreJob,
  createInbox,
  type DeliverContext,
  type DeliveryOutcome,
  defineSessionKey,
  distinctWithin,
  type Inbox,
  type InboxError,
  isInboxError,
  type Origin,
  type ProactiveMessage,
  type RunOutcome,
  type Session,
  type Source,
  webhook,
  webSocketSource,
} from "openclaw-inbox";
import { bullmq } from "openclaw-inbox/bullmq";
import { createInspector } from "openclaw-inbox/inspector";
import { deliveryMachine, linkMachine, type RunOutput, runMachine } from "openclaw-inbox/machines";
import { createFakeGateway, createTestClock } from "openclaw-inbox/testing";
import { pino } from "pino";
import type { Observable } from "rxjs";
import { expectTypeOf } from "vitest";
import type { WebSocket } from "ws";
import { createActor, type SnapshotFrom } from "xstate";

// The session's type is that of the `session` option, wherever a message is seen.
const inbox = createInbox({
  session: collavre,
  accept: (message) => {
    expectTypeOf(message).toEqualTypeOf<ProactiveMessage<CollavreSession>>();
    expectTypeOf(message.session.creativeId).toEqualTypeOf<number>();
    expectTypeOf(message.session.topicId).toEqualTypeOf<number | undefined>();
    return true;
  },
  deliver: (message, context) => {
    expectTypeOf(message.session.creativeId).toEqualTypeOf<number>();
    expectTypeOf(context).toEqualTypeOf<DeliverContext>();
    expectTypeOf(context.attempt).toEqualTypeOf<number>();
    expectTypeOf(context.signal).toEqualTypeOf<AbortSignal>();
    expectTypeOf(collavreJob(message)).toEqualTypeOf<CollavreJob>();
  },
});
expectTypeOf(inbox).toEqualTypeOf<Inbox<CollavreSession>>();
expectTypeOf(inbox.messages$).toEqualTypeOf<Observable<ProactiveMessage<CollavreSession>>>();
expectTypeOf(inbox.outcomes$).toEqualTypeOf<Observable<RunOutcome<CollavreSession>>>();
expectTypeOf(inbox.deliveries$).toEqualTypeOf<Observable<DeliveryOutcome<CollavreSession>>>();
expectTypeOf(inbox).toExtend<AsyncDisposable>();
inbox.outcomes$.subscribe((outcome) => {
  if (outcome.status === "dispatched") expectTypeOf(outcome.message.session.creativeId).toEqualTypeOf<number>();
  if (outcome.status === "errored") expectTypeOf(outcome.error).toEqualTypeOf<string>();
  // @ts-expect-error: only what was discarded has a reason.
  if (outcome.status === "expired") void outcome.reason;
});

// A reader of one's own.
const read = defineSessionKey({ room: { as: "roomId", type: "integer" }, user: { as: "name" } });
expectTypeOf(read("room:1")).toEqualTypeOf<{ readonly roomId?: number; readonly name?: string }>();
createInbox({
  session: read,
  deliver: ({ session }) => expectTypeOf(session.roomId).toEqualTypeOf<number | undefined>(),
});
createInbox({
  session: (sessionKey) => (sessionKey.startsWith("agent:") ? { sessionKey } : undefined),
  deliver: ({ session }) => expectTypeOf(session.sessionKey).toEqualTypeOf<string>(),
});

// Without one, a session is an object of which nothing is known.
createInbox({ deliver: ({ session }) => expectTypeOf(session).toEqualTypeOf<Session>() });
expectTypeOf(createInbox()).toEqualTypeOf<Inbox>();

// What is wrong is an error before it runs.
// @ts-expect-error: there is no such option.
createInbox({ delivr: () => {} });
// @ts-expect-error: a time is a number.
createInbox({ ttlMs: "30 minutes" });
// @ts-expect-error: an order is one of two words.
createInbox({ ordering: "topic" });
// @ts-expect-error: a Gateway has an address.
createInbox({ gateway: { token: "secret" } });
// @ts-expect-error: the session is undefined or an object, not a word.
createInbox({ session: (sessionKey) => sessionKey });
// @ts-expect-error: this session has no such word.
createInbox({ session: collavre, deliver: ({ session }) => void session.creative });
// @ts-expect-error: the job is for messages of Collavre's sessions.
createInbox({ deliver: (message) => void collavreJob(message) });
// @ts-expect-error: a webhook has a secret.
webhook({ url: "https://example.com" });

// Data is read only.
declare const message: ProactiveMessage;
expectTypeOf(message).toEqualTypeOf<Readonly<ProactiveMessage>>();
expectTypeOf(message.origin).toEqualTypeOf<Origin>();
// @ts-expect-error: a message is what was said.
message.text = "";
// @ts-expect-error: a list is what it was when it was asked for.
inbox.runs().push({});

// What others make fits.
declare const ws: WebSocket;
expectTypeOf(webSocketSource(ws)).toEqualTypeOf<Source>();
createInbox({ logger: pino(), clock: createTestClock() });
createInbox({ session: collavre, deliver: webhook({ url: "https://example.com", secret: "whsec_" }) });
createInbox({ session: collavre, deliver: (message) => [0].push(collavreJob(message).creative_id) });
createInbox({ session: collavre, deliver: async () => "done" });
createInbox({ session: collavre, deliver: bullmq(new Queue("proactive")) });
expectTypeOf(createInspector(inbox)).resolves.toHaveProperty("url");
expectTypeOf(createFakeGateway()).resolves.toExtend<{ readonly url: string; readonly token: string }>();
expectTypeOf(distinctWithin<{ id: string }>).returns.toBeFunction();

// Errors narrow by their code.
declare const error: unknown;
if (isInboxError(error, "ERR_INBOX_OPTION")) expectTypeOf(error).toExtend<InboxError>();
// @ts-expect-error: there is no such code.
isInboxError(error, "ERR_INBOX_NOTHING");

// The machines are typed on their own.
const run = createActor(runMachine);
expectTypeOf<SnapshotFrom<typeof runMachine>["output"]>().toEqualTypeOf<RunOutput | undefined>();
run.send({ type: "delta", text: "Hello" });
// @ts-expect-error: a delta has a text.
run.send({ type: "delta" });
// @ts-expect-error: there is no such event.
createActor(linkMachine).send({ type: "reconnect" });
createActor(deliveryMachine, { input: { maxAttempts: 1, firstDelayMs: 0, maxDelayMs: 0 } });
