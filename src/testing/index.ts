export { createTestClock, type TestClock } from "./clock.ts";
export type { FakeConnection } from "./connection.ts";
export { createFakeGateway } from "./fake-gateway.ts";
export type { FakeGateway, FakeGatewayOptions } from "./fake-gateway-api.ts";
export { GatewayRefusal } from "./gateway-errors.ts";
export { type RecordedFrame, readRecording, recordingNames, recordingPath } from "./recordings.ts";
export type { FakeRun } from "./run.ts";
export type { FakeSession, StoredRow, Transcripts } from "./transcript.ts";
