import { type Actor, createActor, fromTransition, type InspectionEvent } from "xstate";
import { type RunInput, runMachine } from "../../machines/run.ts";
import type { Clock } from "../kit/clock.ts";
import { flatLogic } from "./flat-logic.ts";

const quickRun = flatLogic(runMachine);

/** The actor of one run. */
export type RunActor = Actor<typeof runMachine>;

/** A placeholder for an actor that was retired. */
export const noActor: RunActor = createActor(runMachine);

/** Creates the actors of runs as children of one parent. An actor system for each run would take 2 kB more. */
export class RunActors {
  private readonly clock: Clock;
  private readonly inspect: ((event: InspectionEvent) => void) | undefined;
  private readonly parent: Actor<typeof parentLogic>;

  constructor({ clock, inspect }: { clock: Clock; inspect?: ((event: InspectionEvent) => void) | undefined }) {
    this.clock = clock;
    this.inspect = inspect;
    this.parent = createActor(parentLogic, { clock }).start();
    Object.assign(this.parent.system, NO_LIST);
  }

  spawn(input: RunInput): RunActor {
    const { clock, inspect, parent } = this;
    // Inspection needs the interpreter, for microsteps and actions, and so each actor gets its own system. In a shared
    // system, XState would look at every actor's timer whenever one actor ends.
    if (inspect !== undefined) return createActor(runMachine, { clock, input, inspect });
    return createActor(quickRun, { clock, input, parent });
  }

  stop(actor: RunActor): void {
    if (this.inspect !== undefined) actor.stop();
    else this.parent.send({ type: "stop", actor });
  }
}

/**
 * XState lists the actors of a system, and nothing reads the list. V8 keeps the old tables of such a busy map reachable
 * until the next full collection, and with them two of three ended actors. Short runs took 12 % more CPU time.
 */
const NO_LIST = { _register: (sessionId: string) => sessionId, _unregister() {} };

interface StopEvent {
  readonly type: "stop";
  readonly actor: RunActor;
}

/** Only a parent can stop its children. It ignores the message that a child is done. */
const parentLogic = fromTransition((state: undefined, event: StopEvent, { stopChild }) => {
  if (event.type === "stop") stopChild(event.actor);
  return state;
}, undefined);
