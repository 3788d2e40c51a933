import { randomUUID } from "node:crypto";
import type { Observable } from "rxjs";
import { InboxError, isInboxError, optionError } from "../errors.ts";
import type { Clock } from "../kit/clock.ts";
import { deadline, orAborted } from "../kit/deadline.ts";
import { fields, isTooLongAnId, MAX_ID_CHARS, readId } from "../protocol/fields.ts";
import type { Source } from "../source/source.ts";
import type { Attachment, RunOutcome } from "../types.ts";

/** What to say to an agent. */
export interface SendRequest {
  /** The conversation. The Gateway creates it if there is none. Not empty. */
  readonly sessionKey: string;
  /** What to say. Not blank. */
  readonly text: string;
  /** Becomes the run's id. A second request with the same key starts no second run. Default: a new random key. */
  readonly idempotencyKey?: string;
  /** The `name` of the Gateway. Default: the first one that takes requests. */
  readonly gateway?: string;
}

/** What to ask an agent. */
export interface AskRequest extends SendRequest {
  /** Ends the waiting, not the run. Its answer still does not become a message. */
  readonly signal?: AbortSignal;
}

/** What an agent answered. */
export interface Answer {
  readonly runId: string;
  readonly sessionKey: string;
  /** The whole text. It is blank only when there are attachments. */
  readonly text: string;
  /** What the agent answered besides text. May be empty. */
  readonly attachments: readonly Attachment[];
}

/** What {@link OwnRuns} need. */
export interface OwnRunsOptions {
  readonly sources: readonly Pick<Source, "name" | "request">[];
  readonly outcomes$: Observable<RunOutcome>;
  readonly clock: Clock;
  /** The longest wait for an answer, in ms. */
  readonly ttlMs: number;
  /** Aborted when the inbox stops. */
  readonly signal: AbortSignal;
  /** Says whether the whole answer of a run is wanted (true), or not wanted any longer (false). */
  readonly awaitAnswer: (runId: string, wanted: boolean) => void;
  /** Marks a run as ours. Resolves when every inbox that shares the ledger knows it. */
  readonly solicit: (runId: string) => void | Promise<void>;
}

/** The runs that this host asked for. */
export class OwnRuns {
  private readonly options: OwnRunsOptions;

  constructor(options: OwnRunsOptions) {
    this.options = options;
  }

  /**
   * Marks a run as ours. Resolves when every inbox that shares the ledger knows it.
   *
   * @throws {InboxError} `ERR_INBOX_OPTION` when `runId` is not a run id.
   */
  solicit(runId: string): void | Promise<void> {
    if (readId(runId) === undefined) throw optionError("runId", `a string of 1 to ${MAX_ID_CHARS} characters`, runId);
    return this.options.solicit(runId);
  }

  /**
   * Asks an agent. The run is marked as ours before the request is sent, because its events may come before the answer.
   */
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

  /** Asks an agent and waits for its answer. */
  async ask({ signal: given, ...request }: AskRequest): Promise<Answer> {
    if (given !== undefined && !(given instanceof AbortSignal)) throw optionError("signal", "an AbortSignal", given);
    given?.throwIfAborted();
    const { idempotencyKey = randomUUID() } = check(request);
    const { clock, ttlMs, outcomes$, signal: life, awaitAnswer } = this.options;
    const signal = given === undefined ? life : AbortSignal.any([given, life]);
    const limit = deadline({ clock, ms: ttlMs, reason: () => noAnswer(idempotencyKey, "expired"), signal });
    const runIds = new Set<string>();
    const answer = Promise.withResolvers<Answer>();
    // The run may end before the Gateway answers the request. Nothing awaits this promise until then.
    answer.promise.catch(() => {});
    const subscription = outcomes$.subscribe((outcome) => {
      const { runId } = outcome.status === "dispatched" ? outcome.message : outcome;
      if (runIds.has(runId)) completeAnswer(answer, outcome);
    });
    const listenTo = (runId: string) => {
      runIds.add(runId);
      awaitAnswer(runId, true);
    };
    try {
      listenTo(idempotencyKey);
      const { runId } = await orAborted(this.send({ ...request, idempotencyKey }), limit.signal);
      listenTo(runId);
      return await orAborted(answer.promise, limit.signal);
    } finally {
      limit.release();
      subscription.unsubscribe();
      for (const runId of runIds) awaitAnswer(runId, false);
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

/** Resolves with what the run has said, or rejects with the reason why it said nothing. */
function completeAnswer(answer: PromiseWithResolvers<Answer>, outcome: RunOutcome): void {
  if (outcome.status === "dispatched") {
    const { runId, sessionKey, text, attachments } = outcome.message;
    return answer.resolve({ runId, sessionKey, text, attachments });
  }
  const { runId, sessionKey = "", text, attachments = [], status } = outcome;
  if (status !== "discarded") {
    return answer.reject(noAnswer(runId, status, status === "errored" ? outcome.errorKind : undefined));
  }
  // An empty final means that the Gateway merged the question into a run that was in progress.
  if (text.trim() === "" && attachments.length === 0) return answer.reject(noAnswer(runId, "merged"));
  answer.resolve({ runId, sessionKey, text, attachments });
}

const ENDS = {
  errored: "the agent failed",
  aborted: "somebody stopped the agent",
  expired: "nobody said in time how it ended",
  merged: "its session was busy, and the question became part of another run",
} as const;

function noAnswer(runId: string, outcome: keyof typeof ENDS, errorKind?: string): InboxError {
  const details = { runId, outcome, ...(errorKind !== undefined && { errorKind }) };
  return new InboxError("ERR_INBOX_NO_ANSWER", `There is no answer: ${ENDS[outcome]}`, details);
}

function check(request: SendRequest): SendRequest {
  if (typeof request !== "object" || request === null) throw optionError("request", "an object", request);
  const { sessionKey, text, idempotencyKey } = request;
  if (typeof sessionKey !== "string" || sessionKey.trim() === "") {
    throw optionError("sessionKey", "a string that is not blank", sessionKey);
  }
  if (isTooLongAnId(sessionKey)) throw optionError("sessionKey", `at most ${MAX_ID_CHARS} characters long`, sessionKey);
  // The text may be secret, so the error does not quote it.
  if (typeof text !== "string" || text.trim() === "") {
    throw optionError("text", "a string that is not blank", typeof text === "string" ? "" : typeof text);
  }
  if (idempotencyKey !== undefined && readId(idempotencyKey) === undefined) {
    throw optionError("idempotencyKey", `a string of 1 to ${MAX_ID_CHARS} characters`, idempotencyKey);
  }
  return request;
}
