export { createTestClock, type TestClock } from "./clock.ts";
export type { FakeConnection } from "./connection.ts";
export type { GatewayGeneration } from "./dialect.ts";
export { createFakeGateway } from "./fake-gateway.ts";
export type { FakeGateway, FakeGatewayOptions } from "./fake-gateway-api.ts";
export { type GatewayError, GatewayRefusal, type RefusalKind } from "./gateway-errors.ts";
export type { GatewayRequestFrame } from "./handshake.ts";
export type { PlayOptions } from "./player.ts";
export { type RecordedFrame, readRecording, recordingNames, recordingPath } from "./recordings.ts";
export type { RpcHandler } from "./rpc.ts";
export type { FakeFailure, FakeRun } from "./run.ts";
export type { FakeOrigin, RunOptions, SayOptions } from "./speech.ts";
export type {
  FakeSession,
  RowPlace,
  RunningRun,
  SessionStatus,
  StoredRow,
  TranscriptRow,
  Transcripts,
} from "./transcript.ts";
