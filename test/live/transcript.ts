import { textOf } from "./message-text.ts";
import type { Operator } from "./operator.ts";
import { isAtLeast } from "./releases.ts";

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

/**
 * What the agent said in a session, oldest first: no prompts, no notices, nothing that failed or was aborted.
 *
 * Rows of one run are one reply. Before 2026.8 rows name no run: a row that calls a tool goes on in the next one.
 */
export async function readReplies(operator: Operator, sessionKey: string, version: string): Promise<readonly Reply[]> {
  const replies: { runId?: string; text: string; goesOn: boolean }[] = [];
  // How the Gateway itself joins the texts of one run, live.
  const separator = isAtLeast(version, JOINED_BY_BLANK_LINE_SINCE) ? "\n\n" : "";
  // Old Gateways may write what was said a second time when something is injected right after it. No two texts here are equal.
  const mayRepeat = !isAtLeast(version, NAMES_RUNS_SINCE);
  for (const row of await readRows(operator, sessionKey)) {
    // A file's line is no part of what was said.
    const text = textOf(row)
      .replace(/^MEDIA:.*$/gm, "")
      .trimEnd();
    if (!isReply(row) || text === "") continue;
    if (mayRepeat && replies.some((reply) => reply.text === text)) continue;
    const runId = row.__openclaw?.runId;
    const goesOn = row.stopReason === "toolUse";
    const last = replies.at(-1);
    const earlier =
      runId === undefined ? (last?.goesOn ? last : undefined) : replies.find((reply) => reply.runId === runId);
    if (earlier) {
      earlier.text += `${separator}${text}`;
      earlier.goesOn = goesOn;
    } else replies.push({ ...(runId !== undefined && { runId }), text, goesOn });
  }
  return replies;
}

const JOINED_BY_BLANK_LINE_SINCE = "2026.9.5";
const NAMES_RUNS_SINCE = "2026.8.1";

function isReply(row: Row): boolean {
  return (
    row.role === "assistant" &&
    row.stopReason !== "error" &&
    row.stopReason !== "aborted" &&
    row.openclawAbort === undefined &&
    row.provenance?.sourceTool === undefined
  );
}

// Offsets count rows that are not shown, too: a page may be empty and still not be the last.
async function readRows(operator: Operator, sessionKey: string): Promise<readonly Row[]> {
  const rows: Row[] = [];
  let offset: number | undefined = 0;
  while (offset !== undefined) {
    // Old Gateways know no offset, and refuse the parameter.
    const page: Page = await operator.request<Page>("chat.history", {
      sessionKey,
      limit: 500,
      maxChars: 500_000,
      ...(offset > 0 && { offset }),
    });
    rows.unshift(...page.messages);
    offset = page.hasMore ? page.nextOffset : undefined;
  }
  return rows;
}
