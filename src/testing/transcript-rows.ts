import type { TranscriptRow } from "./transcript.ts";

const NO_TOKENS = {
  input: 0,
  output: 0,
  totalTokens: 0,
  cacheRead: 0,
  cacheWrite: 0,
  cost: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0, total: 0 },
};

/** The reply of a model. */
export function replyRow(text: string, timestamp: number): TranscriptRow {
  return {
    role: "assistant",
    content: textBlocks(text),
    api: "openai-completions",
    provider: "stub",
    model: "stub-1",
    usage: { ...NO_TOKENS, input: 10, output: 5, totalTokens: 15 },
    stopReason: "stop",
    timestamp,
    responseId: "chatcmpl-fake",
  };
}

/** The prompt of a client. */
export function promptRow(text: string, runId: string, timestamp: number): TranscriptRow {
  return {
    role: "user",
    content: text,
    timestamp,
    idempotencyKey: `${runId}:user`,
    __openclaw: { senderIsOwner: true },
  };
}

/** The prompt of a cron job. A Gateway keeps it as a row of the role `assistant`, though no agent said it. */
export function cronPromptRow(
  text: string,
  jobId: string,
  sessionKey: string,
  runId: string,
  timestamp: number,
): TranscriptRow {
  return {
    role: "assistant",
    content: text,
    timestamp,
    provenance: {
      kind: "internal_system",
      sourceTool: "cron",
      sourcePromptPrefix: `[cron:${jobId} ${jobId}]`,
      jobId,
      runId,
      sourceSessionKey: sessionKey,
    },
    idempotencyKey: `${runId}:user`,
    senderLabel: "Forwarded from Automation",
    senderSession: { sessionKey, agentId: "main", label: "Automation" },
  };
}

/** The row of a failed run: its error, in a row of the role `assistant`. */
export function failureRow(error: string, runId: string, timestamp: number): TranscriptRow {
  return {
    role: "assistant",
    content: textBlocks(error),
    api: "openai-completions",
    provider: "stub",
    model: "stub-1",
    usage: NO_TOKENS,
    stopReason: "error",
    timestamp,
    idempotencyKey: `${runId}:terminal-error`,
  };
}

/** The row of an aborted run: its text so far. */
export function abortedRow(text: string, runId: string, timestamp: number): TranscriptRow {
  return {
    ...injectedRow(text, timestamp),
    idempotencyKey: `${runId}:assistant`,
    openclawAbort: { aborted: true, origin: "rpc", runId },
  };
}

/** The row of a `chat.inject`. */
export function injectedRow(text: string, timestamp: number): TranscriptRow {
  return {
    role: "assistant",
    content: textBlocks(text),
    timestamp,
    stopReason: "stop",
    usage: NO_TOKENS,
    api: "openai-responses",
    provider: "openclaw",
    model: "gateway-injected",
  };
}

/** The copy of a reminder's text in its conversation. `runId` is that of the cron run, not of the chat run. */
export function automationRow(text: string, jobId: string, runId: string, timestamp: number): TranscriptRow {
  return {
    role: "assistant",
    content: textBlocks(text),
    api: "openclaw-transcript",
    provider: "openclaw",
    model: "automation-result",
    usage: NO_TOKENS,
    stopReason: "stop",
    timestamp,
    idempotencyKey: `cron-current-completion:${runId}`,
    openclawAutomation: { kind: "cron", jobId, runId },
  };
}

/** The content of a message: one text block. */
export function textBlocks(text: string): readonly object[] {
  return [{ type: "text", text }];
}
