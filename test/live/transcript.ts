import type { Operator } from "./operator.ts";

/** One thing the agent said, according to the Gateway's own transcript. */
export interface Reply {
  /** Absent for what was injected or is the copy of an automation's result. */
  readonly runId?: string;
  /** The text of the run's rows, joined by a blank line as on the wire; without white space at its end. */
  readonly text: string;
}

interface Row {
  readonly role?: string;
  readonly content?: unknown;
  readonly stopReason?: string;
  readonly provenance?: { readonly sourceTool?: string };
  readonly openclawAbort?: unknown;
  readonly __openclaw?: { readonly runId?: string };
}

interface Page {
  readonly messages: readonly Row[];
  readonly hasMore?: boolean;
  readonly nextOffset?: number;
}

/** What the agent said in a session, oldest first: no prompts, no notices, nothing that failed or was aborted. */
export async function readReplies(operator: Operator, sessionKey: string): Promise<readonly Reply[]> {
  const replies: { runId?: string; text: string }[] = [];
  for (const row of await readRows(operator, sessionKey)) {
    const text = textOf(row.content);
    if (!isReply(row) || text.trim() === "") continue;
    const runId = row.__openclaw?.runId;
    const earlier = replies.find((reply) => runId !== undefined && reply.runId === runId);
    if (earlier) earlier.text += `\n\n${text.trimEnd()}`;
    else replies.push({ ...(runId === undefined ? {} : { runId }), text: text.trimEnd() });
  }
  return replies;
}

function isReply(row: Row): boolean {
  return (
    row.role === "assistant" &&
    row.stopReason !== "error" &&
    row.openclawAbort === undefined &&
    row.provenance?.sourceTool === undefined
  );
}

// Offsets count rows that are not shown, too: a page may be empty and still not be the last.
async function readRows(operator: Operator, sessionKey: string): Promise<readonly Row[]> {
  const rows: Row[] = [];
  let offset: number | undefined = 0;
  while (offset !== undefined) {
    const page: Page = await operator.request<Page>("chat.history", {
      sessionKey,
      limit: 500,
      offset,
      maxChars: 500_000,
    });
    rows.unshift(...page.messages);
    offset = page.hasMore ? page.nextOffset : undefined;
  }
  return rows;
}

function textOf(content: unknown): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return content
    .map((block: { type?: string; text?: string }) => (block.type === "text" ? (block.text ?? "") : ""))
    .join("");
}
