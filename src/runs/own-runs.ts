import { randomUUID } from "node:crypto";
import { InboxError, isInboxError, optionError } from "../errors.ts";
import { fields, isTooLongAnId, MAX_ID_CHARS, readId } from "../protocol/fields.ts";
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
  /** Says that a run is ours. Resolves when nobody who shares the ledger can miss that. */
  readonly solicit: (runId: string) => void | Promise<void>;
}

/** The runs that this host asked for itself. */
export class OwnRuns {
  private readonly options: OwnRunsOptions;

  constructor(options: OwnRunsOptions) {
    this.options = options;
  }

  /**
   * Says that a run is ours. Resolves when nobody who shares the ledger can miss that.
   *
   * @throws {InboxError} `ERR_INBOX_OPTION` for what is no run id.
   */
  solicit(runId: string): void | Promise<void> {
    if (readId(runId) === undefined) throw optionError("runId", `a string of 1 to ${MAX_ID_CHARS} characters`, runId);
    return this.options.solicit(runId);
  }

  /** Asks an agent; solicited before it is sent, so that no event of the run can come too early. */
  async send(request: SendRequest): Promise<{ readonly runId: string }> {
    const { sessionKey, text, idempotencyKey = randomUUID() } = check(request);
    const ask = this.gateway(request.gateway);
    await this.solicit(idempotencyKey);
    try {
      const answer = await ask("chat.send", { sessionKey, message: text, idempotencyKey });
      const runId = readId(fields(answer)["runId"]);
      if (runId === undefined || runId === idempotencyKey) return { runId: idempotencyKey };
      await this.solicit(runId);
      return { runId };
    } catch (error) {
      if (!isInboxError(error, "ERR_INBOX_SCOPE")) throw error;
      const words = `${error.message} Ask for it in the Gateway's options: \`scopes: ["operator.read", "operator.write"]\`.`;
      throw new InboxError("ERR_INBOX_SCOPE", words, error.details, error);
    }
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
