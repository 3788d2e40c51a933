export { type CollavreJob, type CollavreSession, collavre, collavreJob, parseSessionKey } from "./collavre.ts";
export type { Deliver, DeliverContext } from "./delivery/deliver.ts";
export type { WebhookOptions } from "./delivery/webhook/options.ts";
export { webhook } from "./delivery/webhook/webhook.ts";
export { InboxError, type InboxErrorCode, isInboxError, PermanentError } from "./errors.ts";
export { createInbox } from "./inbox.ts";
export type { Inbox, StartOptions, StopOptions } from "./inbox-api.ts";
export type { Clock } from "./kit/clock.ts";
export type { DeadLetterPage, Ledger, LedgerEntry, LedgerHost, LedgerState, TakeResult } from "./ledger/ledger.ts";
export { createMemoryLedger, type MemoryLedgerOptions } from "./ledger/memory.ts";
export type { SqliteLedgerOptions } from "./ledger/sqlite/options.ts";
export { createSqliteLedger } from "./ledger/sqlite/sqlite.ts";
export type { InboxOptions, RetryOptions } from "./options.ts";
export { type DistinctWithinOptions, distinctWithin } from "./pipeline/distinct-within.ts";
export { defineSessionKey, type SessionKeyWord, type SessionOf } from "./protocol/session-key.ts";
export type { InboxStats } from "./report/counters.ts";
export type { Answer, AskRequest, SendRequest } from "./runs/own-runs.ts";
export { createDevice } from "./source/gateway/device-file.ts";
export { gatewaySource } from "./source/gateway/gateway.ts";
export type { GatewayDevice, GatewayOptions } from "./source/gateway/options.ts";
export { type RecordingOptions, type RecordingSource, recordingSource } from "./source/recording/recording.ts";
export { createRecordingWriter, type RecordingWriter, type RecordingWriterOptions } from "./source/recording/writer.ts";
export type { GatewayRequest, Source, SourceListener } from "./source/source.ts";
export { type HostWebSocket, type WebSocketSourceOptions, webSocketSource } from "./source/websocket/websocket.ts";
export type {
  Activity,
  Alarm,
  ChatEvent,
  DeliveryOutcome,
  DiscardReason,
  EventEffect,
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
