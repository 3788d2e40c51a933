import { type Actor, createActor, fromTransition, type InspectionEvent } from "xstate";
import { type RunInput, runMachine } from "../../machines/run.ts";
import type { Clock } from "../kit/clock.ts";
import { flatLogic } from "./flat-logic.ts";

const quickRun = flatLogic(runMachine);

/** The actor of one run. */
export type RunActor = Actor<typeof runMachine>;

/** Stands for an actor where there is none any more. */
export const noActor: RunActor = createActor(runMachine);

/** Spawns the actors of runs, all as children of one: an actor system of its own would cost each of them 2 kB. */
export class RunActors {
  private readonly clock: Clock;
  private readonly inspect: ((event: InspectionEvent) => void) | undefined;
  private readonly parent: Actor<typeof parentLogic>;

  constructor({ clock, inspect }: { clock: Clock; inspect?: ((event: InspectionEvent) => void) | undefined }) {
    this.clock = clock;
    this.inspect = inspect;
    this.parent = createActor(parentLogic, { clock }).start();
  }

  spawn(input: RunInput): RunActor {
    const { clock, inspect, parent } = this;
    // Whoever inspects gets the interpreter, for its microsteps and actions, and with it a system for
    // each actor: in a shared one, XState looks at every other actor's timer whenever one ends.
    if (inspect !== undefined) return createActor(runMachine, { clock, input, inspect });
    return createActor(quickRun, { clock, input, parent });
  }

  stop(actor: RunActor): void {
    if (this.inspect !== undefined) actor.stop();
    else this.parent.send({ type: "stop", actor });
  }
}

interface StopEvent {
  readonly type: "stop";
  readonly actor: RunActor;
}

/** Only a parent can stop its children. That one of them is done, it hears and ignores. */
const parentLogic = fromTransition((state: undefined, event: StopEvent, { stopChild }) => {
  if (event.type === "stop") stopChild(event.actor);
  return state;
}, undefined);
