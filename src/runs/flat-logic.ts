import type {
  AnyActor,
  AnyActorRef,
  AnyActorScope,
  AnyMachineSnapshot,
  AnyStateMachine,
  AnyStateNode,
  EventObject,
} from "xstate";

interface Args {
  readonly context: object;
  readonly event: EventObject;
}

type Guard = (args: Args) => boolean;
type Assignment = (args: Args) => object;

/** What an event does in the waiting state. */
interface Way {
  readonly guard: Guard | undefined;
  readonly assignments: readonly Assignment[];
  /** Makes the final snapshot; undefined when the machine stays in the waiting state. */
  readonly end: ((context: object, event: EventObject, scope: AnyActorScope) => object) | undefined;
}

/** The transition that happens after a delay. */
interface Delayed {
  readonly event: EventObject;
  readonly delayMs: (args: Args) => number;
}

/**
 * The same machine, handling events without XState's interpreter. The interpreter supports nested, parallel and
 * remembered states. It takes 4 µs for a delta, and 35 µs from a run's first event to its end. This takes a tenth of
 * that. The transitions, guards, assignments, delays and outputs are read from the machine, and every snapshot is equal
 * to the interpreter's.
 *
 * An actor's context and its waiting snapshot are changed in place, so a reference to them sees later changes. With
 * many actors, a new snapshot for each event would live long enough to burden the garbage collector, which costs more
 * than everything else here.
 *
 * The delay uses the actor's clock. XState's scheduler would search the delays of the whole system whenever an actor
 * ends.
 *
 * This works only for a flat machine: one waiting state with at most one delay, and final states. Its actions may only
 * assign, and its only entry and exit actions are those of the delay. Any other machine is returned unchanged. An event
 * that the waiting state does not name is left to the interpreter.
 *
 * Do not use it for inspected actors: without the interpreter, microsteps and actions are not reported.
 */
export function flatLogic<M extends AnyStateMachine>(machine: M): M {
  const waiting = waitingState(machine);
  const ways = waiting && waysOf(machine, waiting);
  if (waiting === undefined || ways === undefined) return machine;
  const delayed = delayOf(machine, waiting);
  const initial = machine.resolveState({ value: waiting.key, context: {} });
  const timers = new WeakMap<AnyActorRef, unknown>();

  function getInitialSnapshot(scope: AnyActorScope, input: unknown): object {
    const self = scope.self as AnyActor;
    const given: unknown = machine.config.context;
    const context = typeof given === "function" ? given({ input, self }) : { ...(given as object | undefined) };
    const args = { context, event: { type: "xstate.init", input } };
    if (delayed !== undefined) {
      const { event, delayMs } = delayed;
      const wait = () => self.clock.setTimeout(() => self.send(event), delayMs(args));
      // Deferred until the actor is started, as in the interpreter.
      scope.defer(() => timers.set(self, wait()));
    }
    return { ...initial, context };
  }

  function stopTimer({ self }: AnyActorScope): void {
    if (delayed === undefined) return;
    (self as AnyActor).clock.clearTimeout(timers.get(self));
    // Without this, the entry would stay in the table.
    timers.delete(self);
  }

  function transition(snapshot: AnyMachineSnapshot, event: EventObject, scope: AnyActorScope): object {
    const candidates = snapshot.status === "active" ? ways?.get(event.type) : undefined;
    if (candidates === undefined) {
      if (event.type === "xstate.stop") stopTimer(scope);
      return machine.transition(snapshot, event, scope);
    }
    const { context } = snapshot;
    const args = { context, event };
    for (const { guard, assignments, end } of candidates) {
      if (guard !== undefined && !guard(args)) continue;
      for (const assignment of assignments) Object.assign(context, assignment(args));
      if (end === undefined) return snapshot;
      stopTimer(scope);
      return end(context, event, scope);
    }
    return snapshot;
  }

  return Object.assign(Object.create(machine), { getInitialSnapshot, transition }) as M;
}

/** The only state that is not final; undefined when the machine is not flat. */
function waitingState({ root }: AnyStateMachine): AnyStateNode | undefined {
  const states = Object.values(root.states) as AnyStateNode[];
  const [waiting, ...others] = states.filter(({ type }) => type !== "final");
  const isPlain = (state: AnyStateNode) =>
    Object.keys(state.states).length === 0 && state.always === undefined && state.invoke.length === 0;
  const delays = waiting?.after.length ?? 0;
  if (waiting?.type !== "atomic" || others.length > 0 || delays > 1) return undefined;
  if (root.initial.target[0] !== waiting) return undefined;
  if (!states.every(isPlain) || root.transitions.size + root.entry.length + root.exit.length > 0) return undefined;
  // XState writes a delay as one entry and one exit action of its state.
  const actions = states.flatMap(({ entry, exit }) => [...entry, ...exit]).length + root.initial.actions.length;
  return actions === 2 * delays ? waiting : undefined;
}

function waysOf(machine: AnyStateMachine, waiting: AnyStateNode): ReadonlyMap<string, readonly Way[]> | undefined {
  const ways = new Map<string, readonly Way[]>();
  for (const [type, transitions] of waiting.transitions) {
    const read = transitions.map((transition) => wayOf(machine, transition));
    if (type.includes("*") || !read.every((way) => way !== undefined)) return undefined;
    ways.set(type, read);
  }
  return ways;
}

type Transition = AnyStateNode["transitions"] extends Map<string, readonly (infer T)[]> ? T : never;

function wayOf(machine: AnyStateMachine, { guard, actions, target, reenter }: Transition): Way | undefined {
  const { implementations } = machine;
  const holds: unknown = typeof guard === "string" ? implementations.guards[guard] : guard;
  if (holds !== undefined && (typeof holds !== "function" || "check" in holds)) return undefined;
  const assignments = actions.map((action) => {
    const named = typeof action === "string" ? action : "type" in action && !("params" in action) ? action.type : "";
    return assignmentOf(typeof action === "function" ? action : implementations.actions[named]);
  });
  if (reenter || !assignments.every((assignment) => assignment !== undefined)) return undefined;
  const [end, ...more] = target ?? [];
  if (more.length > 0 || (end !== undefined && end.type !== "final")) return undefined;
  return { guard: holds as Guard | undefined, assignments, end: end && ending(machine, end) };
}

/** What an `assign` action changes; undefined for any other action. */
function assignmentOf(action: unknown): Assignment | undefined {
  if (typeof action !== "function" || (action as { type?: unknown }).type !== "xstate.assign") return undefined;
  const { assignment } = action as { assignment?: Assignment | Readonly<Record<string, unknown>> };
  if (typeof assignment === "function") return assignment;
  if (assignment === undefined) return undefined;
  const fields = Object.entries(assignment);
  return (args) =>
    Object.fromEntries(fields.map(([name, field]) => [name, typeof field === "function" ? field(args) : field]));
}

/** Makes the transition into a final state. */
function ending(machine: AnyStateMachine, end: AnyStateNode): Way["end"] {
  const { root } = machine;
  const ended = { ...machine.resolveState({ value: end.key, context: {} }), _nodes: [end, root] };
  return (context, event, { self }) => {
    const stateOutput = mapped(end.output, { context, event, self });
    const done = { type: `xstate.done.state.${end.id}`, output: stateOutput };
    return { ...ended, context, output: mapped(root.output, { context, event: done, self }) };
  };
}

function mapped(output: unknown, args: object): unknown {
  return typeof output === "function" ? output(args) : output;
}

function delayOf({ implementations }: AnyStateMachine, { after: [after] }: AnyStateNode): Delayed | undefined {
  if (after === undefined) return undefined;
  const { delay, eventType } = after;
  const named: unknown = typeof delay === "string" ? implementations.delays[delay] : delay;
  const delayMs = typeof named === "function" ? (named as Delayed["delayMs"]) : () => Number(named);
  return { event: { type: eventType }, delayMs };
}
