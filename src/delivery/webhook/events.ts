import { createHash } from "node:crypto";
import { errorText } from "../../errors.ts";
import { exponential } from "../../kit/backoff.ts";
import { Queue } from "../../kit/queue.ts";
import { pause } from "../../kit/timer.ts";
import type { DeliveryOutcome, JobAlarm, LinkStatus, RunOutcome } from "../../types.ts";
import type { Watched } from "../deliver.ts";
import { readFailure } from "../failure.ts";
import type { WebhookEvent, WebhookTarget } from "./options.ts";
import { post, seal } from "./post.ts";
import type { Envelope } from "./sign.ts";

/** How many events may wait. Events are not messages: beyond this limit they are dropped. */
const MAX_WAITING = 1_000;
const MAX_ATTEMPTS = 5;
const backoff = exponential(1_000, 60_000);

interface Waiting extends Envelope {
  readonly name: WebhookEvent;
}

/** Posts events of an inbox other than messages, one after the other. */
export class EventPoster {
  private readonly target: WebhookTarget;

  constructor(target: WebhookTarget) {
    this.target = target;
  }

  /** Posts what the inbox does until its observables complete. */
  readonly attach = (inbox: Watched, onUntold: (name: string, error: unknown) => void): void => {
    const { events, clock } = this.target;
    const waiting = new Queue<Waiting>();
    const over = new AbortController();
    let isPosting = false;

    const tell = (name: WebhookEvent, key: readonly unknown[], data: () => object) => {
      if (!events.has(name)) return;
      if (waiting.size >= MAX_WAITING) return onUntold(name, new Error(`${MAX_WAITING} events wait already`));
      try {
        waiting.push({ name, ...seal(this.target, idOf(name, key), `openclaw.${name}`, clock.now(), data()) });
      } catch (error) {
        // It is too large, or the host's clock is wrong. An error in a subscriber would end the process.
        return onUntold(name, error);
      }
      if (!isPosting) void postAll();
    };
    const postAll = async () => {
      isPosting = true;
      for (let next = waiting.shift(); next !== undefined && !over.signal.aborted; next = waiting.shift()) {
        const error = await this.postOne(next, over.signal);
        if (error !== undefined) onUntold(next.name, error);
      }
      isPosting = false;
    };

    inbox.outcomes$.subscribe({
      next: (outcome) => {
        const { status } = outcome;
        if (status !== "errored" && status !== "expired") return;
        tell(`run.${status}`, [outcome.gateway, outcome.runId], () => runData(outcome));
      },
      complete: () => over.abort(),
    });
    inbox.deliveries$.subscribe((outcome) => {
      if (outcome.status === "dead") tell("delivery.dead", [outcome.message.id, clock.now()], () => deadData(outcome));
    });
    inbox.alarms$.subscribe((alarm) => {
      // When the job speaks again, its message says so.
      if (alarm.part !== "job" || alarm.error === undefined) return;
      tell("job.silent", [alarm.gateway, alarm.job, alarm.due], () => jobData(alarm));
    });
    inbox.links$.subscribe((status) => {
      const { state, gateway, owner, since } = status;
      if (state === "paused" || state === "live")
        tell(`link.${state}`, [gateway, owner, since], () => linkData(status));
    });
  };

  /** Resolves to the last attempt's error, or to undefined when an attempt succeeded or the inbox was stopped. */
  private async postOne(envelope: Envelope, signal: AbortSignal): Promise<unknown> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await post(this.target, envelope, signal);
      } catch (error) {
        if (signal.aborted) return undefined;
        const { permanent, retryAfterMs = 0 } = readFailure(error);
        if (permanent || attempt === MAX_ATTEMPTS) return error;
        await pause(this.target.clock, Math.max(retryAfterMs, backoff(attempt) * Math.random()), signal);
        if (signal.aborted) return undefined;
      }
    }
  }
}

/** The same event has the same id on every host, so that a receiver can drop repeats. */
function idOf(name: WebhookEvent, key: readonly unknown[]): string {
  const hash = createHash("sha256").update(JSON.stringify([name, ...key]));
  return `evt_${hash.digest("base64url").slice(0, 32)}`;
}

// Texts of messages and runs are left out, because these events are for the people who run the service.

function runData(outcome: Exclude<RunOutcome, { status: "dispatched" }>): object {
  const { gateway, runId, sessionKey, owner, origin, startedAt, text } = outcome;
  const began = new Date(startedAt).toISOString();
  const run = { gateway, runId, sessionKey, owner, origin, startedAt: began, chars: text.length };
  if (outcome.status !== "errored") return run;
  return { ...run, error: errorText(outcome.error), errorKind: outcome.errorKind };
}

function deadData({ message, attempts, error }: Extract<DeliveryOutcome, { status: "dead" }>): object {
  const { id, gateway, runId, sessionKey, owner } = message;
  return { id, gateway, runId, sessionKey, owner, attempts, error: errorText(error) };
}

function jobData({ gateway, job, name, due, claimed, error }: JobAlarm): object {
  return { gateway, job, name, due: new Date(due).toISOString(), claimed, error: errorText(error) };
}

function linkData({ gateway, owner, state, reason, since }: LinkStatus): object {
  return { gateway, owner, state, reason, since: new Date(since).toISOString() };
}
