/** A point of a drawing, in CSS pixels from its top left corner. */
export type Point = readonly [x: number, y: number];

/** One state of a drawn machine. */
export interface DrawnState {
  /** The state's name. `any` is the machine itself, for transitions from every state. */
  readonly id: string;
  readonly type: "state" | "final" | "any";
  readonly initial: boolean;
  readonly description: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** One transition of a drawn machine. */
export interface DrawnTransition {
  /** `from:event[guard]:to`, as {@link transitionId} makes it. */
  readonly id: string;
  readonly label: string;
  readonly description: string;
  readonly points: readonly Point[];
  /** The middle of the label. */
  readonly labelAt: Point;
  readonly labelWidth: number;
}

/** A machine with its layout. */
export interface Drawing {
  readonly description: string;
  readonly width: number;
  readonly height: number;
  readonly states: readonly DrawnState[];
  readonly transitions: readonly DrawnTransition[];
}

/** The machines that the page draws. */
export type MachineName = "run" | "delivery" | "link";

/** The drawings of all machines. `scripts/draw-machines.ts` writes them. */
export type Drawings = Readonly<Record<MachineName, Drawing>>;

/** The name of a transition in its drawing. */
export function transitionId(from: string, event: string, to: string): string {
  return `${from}:${event}:${to}`;
}
