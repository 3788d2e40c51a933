import { randomUUID } from "node:crypto";
import { InboxError, isInboxError, optionError } from "../errors.ts";
import type { Clock } from "../kit/clock.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { fields, isTime, isTooLongAnId, MAX_ID_CHARS, readId } from "../protocol/fields.ts";
import type { Source } from "../source/source.ts";

/** What to say to an agent. */
export interface SendRequest {
  /** The conversation; made by the Gateway when there is none. Not empty. */
  readonly sessionKey: string;
  /** What to say. Not blank. */
  readonly text: string;
  /** Becomes the run's id. Saying the same again under the same key does not run again. Default: a new one. */
  readonly idempotencyKey?: string;
  /** The `name` of the Gateway. Default: the first that can be asked. */
  readonly gateway?: string;
}

/** What {@link OwnRuns} need. */
export interface OwnRunsOptions {
  readonly sources: readonly Pick<Source, "name" | "request">[];
  readonly ledger: Ledger;
  readonly clock: Clock;
  /** How long a run can go on, in ms. */
  readonly ttlMs: number;
  /** Says that a run is ours. */
  readonly solicit: (runId: string) => void;
}

const CURSOR_NAME = "solicited";
/** How many are remembered across a restart. */
const MAX_REMEMBERED = 1_000;
/** How long after the first of several they are written down together, in ms. */
const SAVE_AFTER_MS = 250;

/**
 * The runs that this host asked for itself. The ledger keeps them, so that after a restart the answer
 * that is found in the history is still known not to be proactive.
 */
export class OwnRuns {
  private readonly options: OwnRunsOptions;
  /** When each was solicited, oldest first. */
  private readonly asked = new Map<string, number>();
  private timer: unknown;

  constructor(options: OwnRunsOptions) {
    this.options = options;
    const { clock, ttlMs, ledger, solicit } = options;
    for (const [runId, at] of read(ledger.cursor(CURSOR_NAME))) {
      if (clock.now() - at >= ttlMs) continue;
      this.asked.set(runId, at);
      solicit(runId);
    }
  }

  /**
   * Says that a run is ours, and remembers it.
   *
   * @throws {InboxError} `ERR_INBOX_OPTION` for what is no run id.
   */
  solicit(runId: string): void {
    if (readId(runId) === undefined) throw optionError("runId", `a string of 1 to ${MAX_ID_CHARS} characters`, runId);
    const { clock, solicit } = this.options;
    solicit(runId);
    this.asked.delete(runId);
    this.asked.set(runId, clock.now());
    for (const oldest of this.asked.keys()) {
      if (this.asked.size <= MAX_REMEMBERED) break;
      this.asked.delete(oldest);
    }
    this.timer ??= clock.setTimeout(() => this.save(), SAVE_AFTER_MS);
  }

  /** Asks an agent; solicited before it is sent, so that no event of the run can come too early. */
  async send(request: SendRequest): Promise<{ readonly runId: string }> {
    const { sessionKey, text, idempotencyKey = randomUUID() } = check(request);
    const ask = this.gateway(request.gateway);
    this.solicit(idempotencyKey);
    try {
      const answer = await ask("chat.send", { sessionKey, message: text, idempotencyKey });
      const runId = readId(fields(answer)["runId"]);
      if (runId === undefined || runId === idempotencyKey) return { runId: idempotencyKey };
      this.solicit(runId);
      return { runId };
    } catch (error) {
      if (!isInboxError(error, "ERR_INBOX_SCOPE")) throw error;
      const words = `${error.message} Ask for it in the Gateway's options: \`scopes: ["operator.read", "operator.write"]\`.`;
      throw new InboxError("ERR_INBOX_SCOPE", words, error.details, error);
    }
  }

  /** Writes down what has not been. */
  stop(): void {
    if (this.timer !== undefined) this.save();
  }

  private gateway(name: string | undefined): NonNullable<Source["request"]> {
    const { sources } = this.options;
    const named = name === undefined ? sources : sources.filter((source) => source.name === name);
    if (name !== undefined && named.length === 0) {
      throw optionError("gateway", `one of ${sources.map((source) => `"${source.name}"`).join(", ") || "none"}`, name);
    }
    const request = named.find((source) => source.request !== undefined)?.request;
    if (request !== undefined) return request;
    throw new InboxError("ERR_INBOX_NO_LINK", "There is no Gateway that can be asked: every source only listens", {
      ...(name !== undefined && { gateway: name }),
    });
  }

  private save(): void {
    const { clock, ledger, ttlMs } = this.options;
    clock.clearTimeout(this.timer as never);
    this.timer = undefined;
    for (const [runId, at] of this.asked) {
      if (clock.now() - at < ttlMs) break;
      this.asked.delete(runId);
    }
    ledger.setCursor(CURSOR_NAME, JSON.stringify([...this.asked]));
  }
}

function check(request: SendRequest): SendRequest {
  if (typeof request !== "object" || request === null) throw optionError("request", "an object", request);
  const { sessionKey, text, idempotencyKey } = request;
  if (typeof sessionKey !== "string" || sessionKey.trim() === "") {
    throw optionError("sessionKey", "a string that is not blank", sessionKey);
  }
  if (isTooLongAnId(sessionKey)) throw optionError("sessionKey", `at most ${MAX_ID_CHARS} characters long`, sessionKey);
  // The text is the host's secret: it is not quoted.
  if (typeof text !== "string" || text.trim() === "") {
    throw optionError("text", "a string that is not blank", typeof text === "string" ? "" : typeof text);
  }
  if (idempotencyKey !== undefined && readId(idempotencyKey) === undefined) {
    throw optionError("idempotencyKey", `a string of 1 to ${MAX_ID_CHARS} characters`, idempotencyKey);
  }
  return request;
}

function read(kept: string | undefined): readonly (readonly [string, number])[] {
  if (kept === undefined) return [];
  try {
    const list: unknown = JSON.parse(kept);
    const isEntry = (entry: unknown): entry is [string, number] =>
      Array.isArray(entry) && readId(entry[0]) !== undefined && isTime(entry[1]);
    return Array.isArray(list) ? list.filter(isEntry) : [];
  } catch {
    // Written by somebody else: nothing is known to be ours.
    return [];
  }
}
