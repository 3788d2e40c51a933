import type { TranscriptRow } from "./transcript.ts";

const NO_TOKENS = {
  input: 0,
  output: 0,
  totalTokens: 0,
  cacheRead: 0,
  cacheWrite: 0,
  cost: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0, total: 0 },
};

/** A model's reply. */
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

/** What a client asked in its own name. */
export function promptRow(text: string, runId: string, timestamp: number): TranscriptRow {
  return {
    role: "user",
    content: text,
    timestamp,
    idempotencyKey: `${runId}:user`,
    __openclaw: { senderIsOwner: true },
  };
}

/** The prompt of a cron job, which a Gateway keeps as an assistant row (a trap: nobody said it). */
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

/** What a failed run leaves behind: its failure, as an ordinary assistant row. */
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

/** What an aborted run leaves behind: the text it had said. */
export function abortedRow(text: string, runId: string, timestamp: number): TranscriptRow {
  return {
    ...injectedRow(text, timestamp),
    idempotencyKey: `${runId}:assistant`,
    openclawAbort: { aborted: true, origin: "rpc", runId },
  };
}

/** What `chat.inject` writes. */
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

/** The copy of a reminder's text in the conversation that it is bound to. `runId` is the cron run's, not the chat run's. */
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

/** Text as the content of a message: one block. */
export function textBlocks(text: string): readonly object[] {
  return [{ type: "text", text }];
}
