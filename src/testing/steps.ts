import { isRecord } from "./handshake.ts";
import type { TranscriptRow } from "./transcript.ts";
import { replyRow } from "./transcript-rows.ts";

/** A step of a run: what the model said before it called a tool, and the call. A Gateway stores both in one row. */
export function stepRow(text: string, callId: string, tool: string, timestamp: number): TranscriptRow {
  const textSignature = JSON.stringify({ v: 1, id: `commentary-0-${callId}`, phase: "commentary" });
  const said = text === "" ? [] : [{ type: "text", text, textSignature }];
  const content = [...said, { type: "toolCall", id: callId, name: tool, arguments: {} }];
  return { ...replyRow("", timestamp), content, stopReason: "toolUse" };
}

/** The result of a tool. A Gateway sends no event of this row. */
export function toolResultRow(callId: string, tool: string, timestamp: number): TranscriptRow {
  return {
    role: "toolResult",
    toolCallId: callId,
    toolName: tool,
    content: [{ type: "text", text: "(nothing)" }],
    isError: false,
    timestamp,
  };
}

/** A row as `session.message` and `chat.message.get` give it: of a step only the call. */
export function displayedRow(row: TranscriptRow): TranscriptRow {
  const { content } = row;
  if (!Array.isArray(content) || !content.some(isCommentary)) return row;
  return { ...row, content: content.filter((block) => !isCommentary(block)) };
}

/** A row as `chat.history` gives it: of a step first each text, as a row of its own with the same id, and then the call. */
export function displayedRows(row: TranscriptRow): readonly TranscriptRow[] {
  const { role, content, timestamp, __openclaw } = row;
  if (!Array.isArray(content)) return [row];
  const texts = content.filter(isCommentary).map(({ text, textSignature }) => ({
    role,
    content: [{ type: "text", text }],
    timestamp,
    openclawStreamFallback: { replacementText: text, source: "segment", itemId: idOf(textSignature) },
    __openclaw,
  }));
  return [...texts, displayedRow(row)];
}

/** A row before 2026.8: of a step only the text. */
export function oldStepRow(row: TranscriptRow): TranscriptRow {
  const { content } = row;
  if (!Array.isArray(content) || !content.some(isCommentary)) return row;
  return { ...row, content: content.filter(isCommentary).map(({ text }) => ({ type: "text", text })) };
}

interface Commentary {
  readonly type: "text";
  readonly text: string;
  readonly textSignature: string;
}

function isCommentary(block: unknown): block is Commentary {
  return isRecord(block) && typeof block["textSignature"] === "string";
}

function idOf(textSignature: string): unknown {
  return (JSON.parse(textSignature) as { readonly id?: unknown }).id;
}
