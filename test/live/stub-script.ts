/** What the stub model answers to one request. */
export type Plan =
  | { readonly kind: "fail"; readonly status: number }
  | (Spoken & { readonly kind: "say" })
  | (Spoken & { readonly kind: "tool"; readonly toolName: string; readonly toolArgs: string });

interface Spoken {
  readonly text: string;
  /** The text in the pieces that are streamed. */
  readonly pieces: readonly string[];
  /** The pause after each piece. */
  readonly delayMs: number;
}

/**
 * Reads the reply out of the prompt, so that a scenario scripts the model by what it asks:
 *
 * - `SAY:text` says `text`, up to `;;`, a double quote or the end of the line;
 * - `LONG:n@m` says {@link numberedWords}, `n` from `m` on, in 50 pieces; `SLOW:n` says `n` of them word by word;
 * - `SILENT` says `NO_REPLY`, `HBOK` says `HEARTBEAT_OK`: the agent's ways to say nothing;
 * - `FAIL401`, `FAIL500`: that HTTP status;
 * - `TOOL:before||tool||{"json": "arguments"}||after` says `before`, calls the tool, then says `after`.
 *
 * `DELAY=ms` anywhere in the prompt sets the pause between the pieces (20 ms unless told).
 *
 * A prompt without any of them is answered with `otherwise`: before 2026.8 the text of a wake or a reminder
 * never reaches the model.
 *
 * An agent adds context of its own as further user messages, and a prompt may arrive quoted inside
 * other text. So the whole current turn is searched, newest first: everything since the last
 * assistant message that made no tool call.
 */
export function planReply(messages: readonly unknown[], otherwise = "stub: the prompt holds no directive"): Plan {
  const turn = currentTurn(messages as readonly Message[]);
  const prompts = turn
    .filter((message) => message.role === "user")
    .map((message) => withoutQuotes(promptText(message.content)));
  const prompt = prompts.findLast((text) => DIRECTIVE.test(text)) ?? "";
  const fail = last(prompt, /\bFAIL(\d{3})\b/g);
  if (fail) return { kind: "fail", status: Number(fail[1]) };
  const delayMs = Number(last(prompt, /\bDELAY=(\d+)/g)?.[1] ?? 20);
  const tool = last(prompt, /\bTOOL:(.*?)\|\|(.*?)\|\|(.*?)\|\|(.*?)(?:;;|\n|$)/g);
  if (!tool) return { kind: "say", delayMs, ...(spoken(prompt) ?? inPieces(otherwise, 50)) };
  const [, before = "", toolName = "", toolArgs = "", after = ""] = tool;
  if (turn.some((message) => message.role === "tool"))
    return { kind: "say", delayMs, text: after, pieces: wordsOf(after) };
  return { kind: "tool", delayMs, text: before, pieces: wordsOf(before), toolName, toolArgs };
}

/**
 * The plan with the tools that a request offers. From some release on a Gateway offers few of its tools by name, and the rest
 * through `tool_call`.
 */
export function withOffered(plan: Plan, tools: readonly OfferedTool[] = []): Plan {
  if (plan.kind !== "tool") return plan;
  const names = tools.map((tool) => tool.function?.name);
  if (names.includes(plan.toolName) || !names.includes("tool_call")) return plan;
  const toolArgs = JSON.stringify({ id: plan.toolName, args: JSON.parse(plan.toolArgs) });
  return { ...plan, toolName: "tool_call", toolArgs };
}

/** A tool as an OpenAI-compatible request has it. */
export interface OfferedTool {
  readonly function?: { readonly name?: string };
}

/** `w1 w2 w3 ...`, `count` of them, twenty a line; 3,500 are a little over 20,000 characters. */
export function numberedWords(count: number, first = 1): string {
  return Array.from({ length: count }, (_, index) => `w${index + first}${(index + 1) % 20 === 0 ? "\n" : ""}`)
    .join(" ")
    .trimEnd();
}

interface Message {
  readonly role?: string;
  readonly content?: unknown;
  readonly tool_calls?: readonly unknown[];
}

const DIRECTIVE = /\b(?:SAY:|LONG:\d|SLOW:\d|SILENT\b|HBOK\b|FAIL\d{3}\b|TOOL:)/;

function currentTurn(messages: readonly Message[]): readonly Message[] {
  const lastReply = messages.findLastIndex((message) => message.role === "assistant" && !message.tool_calls?.length);
  return messages.slice(lastReply + 1);
}

/** A prompt without the lines of the conversation that a `current` cron job quotes: they are no directives. */
function withoutQuotes(prompt: string): string {
  return prompt.replace(/^- (?:User|Assistant): .*$/gm, "");
}

function spoken(prompt: string): Pick<Spoken, "text" | "pieces"> | undefined {
  const say = last(prompt, /\bSAY:(.*?)(?:;;|\\*"|\n|$)/g);
  if (say) return inWords((say[1] ?? "").trim());
  const long = last(prompt, /\bLONG:(\d+)@(\d+)/g);
  if (long) return inPieces(numberedWords(Number(long[1]), Number(long[2])), 50);
  const slow = last(prompt, /\bSLOW:(\d+)/g);
  if (slow) return inWords(numberedWords(Number(slow[1])));
  if (/\bSILENT\b/.test(prompt)) return inWords("NO_REPLY");
  if (/\bHBOK\b/.test(prompt)) return inWords("HEARTBEAT_OK");
  return undefined;
}

function inWords(text: string): Pick<Spoken, "text" | "pieces"> {
  return { text, pieces: wordsOf(text) };
}

function inPieces(text: string, count: number): Pick<Spoken, "text" | "pieces"> {
  const size = Math.max(1, Math.ceil(text.length / count));
  return {
    text,
    pieces: Array.from({ length: Math.ceil(text.length / size) }, (_, index) =>
      text.slice(index * size, (index + 1) * size),
    ),
  };
}

function wordsOf(text: string): readonly string[] {
  return text.match(/\s*\S+|\s+$/g) ?? [];
}

function promptText(content: unknown): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return content.map((part: unknown) => (part as { text?: string } | null)?.text ?? "").join("\n");
}

function last(text: string, pattern: RegExp): RegExpMatchArray | undefined {
  return [...text.matchAll(pattern)].at(-1);
}
