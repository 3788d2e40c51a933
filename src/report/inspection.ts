import type { InspectionEvent, Observer } from "xstate";

type Inspect = (event: InspectionEvent) => void;

/** The options that {@link inspection} uses. */
export interface InspectionOptions {
  readonly inspect?: Inspect | Observer<InspectionEvent>;
  readonly inspectText: boolean;
}

/**
 * Makes a function of the `inspect` option that never throws. Texts are replaced by their length unless `inspectText`
 * is set. Undefined when there is no such option.
 */
export function inspection(
  { inspect, inspectText }: InspectionOptions,
  report: { hostError(name: string, error: unknown): void },
): Inspect | undefined {
  if (inspect === undefined) return undefined;
  return (event) => {
    const seen = inspectText ? event : hideText(event);
    try {
      const answer: unknown = typeof inspect === "function" ? inspect(seen) : inspect.next?.(seen);
      // An async `inspect` may reject, which would end the process.
      if (answer instanceof Promise) answer.catch((error: unknown) => report.hostError("inspect", error));
    } catch (error) {
      // A bug in the host's `inspect` must not stop the actor.
      report.hostError("inspect", error);
    }
  };
}

/** The fields in which this package's actors carry an agent's words or a Gateway's whole hello. */
const PRIVATE = new Set(["text", "error", "hello", "message"]);

/** A copy of `value` without texts. Actors are replaced by a view; its snapshot has no text. */
function hideText<T>(value: T): T {
  if (Array.isArray(value)) return value.map(hideText) as T;
  if (!isPlain(value)) return value;
  const copy: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(value)) {
    if (PRIVATE.has(name) && field !== undefined) copy[name] = hidden(field);
    else if (name === "actorRef" || name === "sourceRef") copy[name] = viewOf(field);
    else copy[name] = HELD_BY_XSTATE.has(name) ? field : hideText(field);
  }
  return copy as T;
}

// Parts of a snapshot that belong to the machine. They are large and hold no text.
const HELD_BY_XSTATE = new Set(["machine", "_nodes", "historyValue", "children", "_transitions"]);

function hidden(field: unknown): string {
  return typeof field === "string" ? `(${field.length} characters)` : "(hidden)";
}

function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** An actor whose snapshot holds no text. Everything else is the actor's own. */
function viewOf(actor: unknown): unknown {
  if (typeof actor !== "object" || actor === null || !("getSnapshot" in actor)) return actor;
  const { getSnapshot } = actor as { getSnapshot: () => unknown };
  return Object.create(actor, {
    getSnapshot: { value: () => hideText(getSnapshot.call(actor)) },
    _snapshot: { get: () => hideText(getSnapshot.call(actor)) },
  });
}
