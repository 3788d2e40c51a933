/** One recording of a real Gateway, as the demo plays it. */
export interface Scene {
  readonly title: string;
  /** Its name, as `recordingPath()` takes it. */
  readonly recording: string;
  /** How long it lasts, in ms. The recorded pauses are shortened to fit. Default 200. */
  readonly durationMs?: number;
  /** How often each frame is sent. Default 1. */
  readonly repeats?: number;
}

/** The scenes of the demo, in order: what agents say unasked, how it arrives, and how it fails. */
export const scenes: readonly Scene[] = [
  { title: "A cron reminder in the main session", recording: "a-cron-main.subscribed" },
  { title: "A cron job in a session of its own", recording: "b-cron-isolated.subscribed" },
  { title: "A job that fires twice: same words, two messages", recording: "b4-cron-repeats.subscribed" },
  { title: "A cron job bound to a named session", recording: "c1-cron-custom-session.subscribed" },
  { title: "A reminder asked for in a conversation", recording: "c8-cron-current-session.subscribed" },
  { title: "A wake-up call in a conversation", recording: "c6-wake-custom-session.subscribed" },
  { title: "A heartbeat that has something to say", recording: "d1-heartbeat-speaks.subscribed" },
  { title: "Two heartbeats that have not", recording: "d2-heartbeat-silent.subscribed" },
  { title: "Notes put into a conversation", recording: "e-chat-inject.subscribed" },
  { title: "A run that another program started", recording: "c3-agent-rpc.subscribed" },
  { title: "A session key in capitals", recording: "c9-mixed-case-key.subscribed" },
  { title: "Someone else's question, overheard", recording: "c4-chat-send-by-other.subscribed" },
  { title: "Questions and a run nobody asked for, in one session", recording: "l-own-chat-send" },
  { title: "Words, a tool call, words: one message", recording: "j1-tool-in-the-middle.subscribed" },
  { title: "A helper is sent; its report is the message", recording: "j6-subagent.subscribed" },
  { title: "Ten runs at once, every frame sent twice", recording: "k2-ten-at-once", durationMs: 800, repeats: 2 },
  { title: "A long reply, in 140 pieces", recording: "f-long-reply", durationMs: 600 },
  { title: "The connection is lost in the middle of a run", recording: "m1-reconnect-while-running" },
  { title: "A run ends while the connection is lost", recording: "m2-finished-while-away" },
  { title: "The Gateway is stopped, and waits for the run", recording: "n1-sigterm-mid-run" },
  { title: "The model fails", recording: "g1-error-500.subscribed" },
  { title: "The model fails for someone who asked", recording: "g6-error-chat-send.subscribed" },
  { title: "The model breaks off, again and again", recording: "g4-cut-mid-stream.subscribed" },
  { title: "The model says nothing, three times", recording: "i-no-reply.subscribed" },
  { title: "A run is stopped by its caller", recording: "h1-abort-agent-run.subscribed" },
  { title: "A cron run is stopped", recording: "h3-abort-cron-run.subscribed" },
];
