import { deliveryMachine, linkMachine, runMachine } from "../../machines/index.ts";
import { describeWalks } from "./walk.ts";

describeWalks("a run", {
  machine: runMachine,
  input: { runId: "run-1", gateway: "default", startedAt: 5, ttlMs: 1_800_000 },
  events: [
    { type: "delta", text: "Hel", sessionKey: "agent:main:main" },
    { type: "delta", text: "Hello" },
    { type: "final", text: "Hello." },
    { type: "final", text: "Hello.", discard: "unroutable" },
    { type: "final" },
    { type: "final", text: "  " },
    { type: "error", error: "HTTP 500" },
    { type: "aborted", text: "Hel" },
    { type: "discard", reason: "solicited" },
  ] as { type: string }[],
  afterMs: { "xstate.after.ttl.run.buffering": 1_800_000 },
  transitions: [
    "buffering final dispatched",
    "buffering final discarded",
    "buffering error errored",
    "buffering aborted aborted",
    "buffering discard discarded",
    "buffering xstate.after.ttl.run.buffering expired",
  ],
});

describeWalks("a delivery", {
  machine: deliveryMachine,
  input: { maxAttempts: 3, firstDelayMs: 1_000, maxDelayMs: 1_000 },
  events: [
    { type: "succeeded" },
    { type: "failed", error: "refused", jitter: 0.5 },
    { type: "failed", error: "gone", jitter: 0.5, permanent: true },
  ] as { type: string }[],
  afterMs: { "xstate.after.backoff.delivery.waiting": 500 },
  transitions: [
    "attempting succeeded delivered",
    "attempting failed waiting",
    "attempting failed dead",
    "waiting xstate.after.backoff.delivery.waiting attempting",
  ],
});

describeWalks("a link", {
  machine: linkMachine,
  input: { gateway: "default" },
  events: [
    { type: "connect" },
    { type: "hello" },
    { type: "recovered" },
    { type: "lost", reason: "The connection closed (1006)." },
    { type: "refused", reason: "The Gateway refused the token." },
    { type: "ended", reason: "The source was closed." },
  ] as { type: string }[],
  afterMs: {},
  transitions: [
    "offline connect connecting",
    "offline refused paused",
    "connecting hello recovering",
    "connecting lost offline",
    "connecting refused paused",
    "connecting ended offline",
    "recovering recovered live",
    "recovering lost offline",
    "recovering refused paused",
    "recovering ended offline",
    "live lost offline",
    "live refused paused",
    "live ended offline",
    "paused connect connecting",
    "paused ended offline",
  ],
});
