export { type CollavreJob, type CollavreSession, collavre, collavreJob, parseSessionKey } from "./collavre.ts";
export type { Deliver, DeliverContext } from "./delivery/deliver.ts";
export type { WebhookOptions } from "./delivery/webhook/options.ts";
export { webhook } from "./delivery/webhook/webhook.ts";
export { InboxError, type InboxErrorCode, isInboxError, PermanentError } from "./errors.ts";
export { createInbox } from "./inbox.ts";
export type { Inbox } from "./inbox-api.ts";
export type { Clock } from "./kit/clock.ts";
export type { Ledger, LedgerEntry, LedgerHost, TakeResult } from "./ledger/ledger.ts";
export { createMemoryLedger } from "./ledger/memory.ts";
export { createSqliteLedger } from "./ledger/sqlite/sqlite.ts";
export type { InboxOptions, RetryOptions } from "./options.ts";
export { distinctWithin } from "./pipeline/distinct-within.ts";
export { defineSessionKey, type SessionOf } from "./protocol/session-key.ts";
export type { InboxStats } from "./report/counters.ts";
export type { Answer } from "./runs/own-runs.ts";
export type { GatewayDevice } from "./source/gateway/device.ts";
export { createDevice } from "./source/gateway/device-file.ts";
export { gatewaySource } from "./source/gateway/gateway.ts";
export type { GatewayOptions } from "./source/gateway/options.ts";
export { type RecordingSource, recordingSource } from "./source/recording/recording.ts";
export { createRecordingWriter, type RecordingWriter } from "./source/recording/writer.ts";
export type { Source, SourceListener } from "./source/source.ts";
export { webSocketSource } from "./source/websocket/websocket.ts";
export type {
  Activity,
  Alarm,
  Attachment,
  ChatEvent,
  DeliveryOutcome,
  DiscardReason,
  LinkState,
  LinkStatus,
  LiveRun,
  Logger,
  Origin,
  ProactiveMessage,
  Rejection,
  RejectReason,
  RunOutcome,
  RunProgress,
  Session,
  UnsentRun,
} from "./types.ts";
