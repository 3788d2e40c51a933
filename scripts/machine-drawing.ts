import elkModule, { type ElkExtendedEdge, type ElkNode } from "elkjs/lib/elk.bundled.js";
import type { AnyStateMachine, AnyStateNode, TransitionDefinition } from "xstate";
import { deliveryMachine, linkMachine, runMachine } from "../machines/index.ts";
import { type Drawing, type Drawings, type DrawnState, type Point, transitionId } from "../src/inspector/drawing.ts";

type Transition = TransitionDefinition<never, never>;

interface Arrow {
  readonly from: string;
  readonly to: string;
  readonly label: string;
  readonly description: string;
}

// The page writes both in a monospaced font of these widths, so that no text has to be measured here.
const STATE_CHAR_WIDTH = 8.2;
const LABEL_CHAR_WIDTH = 7;

const layoutOptions = {
  "elk.algorithm": "layered",
  "elk.edgeRouting": "ORTHOGONAL",
  // States in the order of the definition: what comes first in a life stands first.
  "elk.layered.considerModelOrder.strategy": "NODES_AND_EDGES",
  "elk.layered.cycleBreaking.strategy": "MODEL_ORDER",
  "elk.spacing.nodeNode": "26",
  "elk.spacing.edgeEdge": "11",
  "elk.spacing.edgeNode": "18",
  "elk.spacing.edgeLabel": "6",
  "elk.spacing.nodeSelfLoop": "20",
  "elk.layered.spacing.nodeNodeBetweenLayers": "16",
  "elk.layered.spacing.edgeNodeBetweenLayers": "11",
  "elk.layered.nodePlacement.strategy": "BRANDES_KOEPF",
  "elk.layered.nodePlacement.bk.fixedAlignment": "BALANCED",
  "elk.padding": "[top=6,left=4,bottom=6,right=4]",
};

/** Lays out every machine from its own definition. The same machines give the same drawings. */
export async function drawMachines(): Promise<Drawings> {
  return {
    run: await draw(runMachine as never, "RIGHT"),
    delivery: await draw(deliveryMachine as never, "RIGHT"),
    link: await draw(linkMachine as never, "DOWN"),
  };
}

async function draw(machine: AnyStateMachine, direction: "RIGHT" | "DOWN"): Promise<Drawing> {
  const states = Object.values(machine.states) as AnyStateNode[];
  const arrows = [machine.root as AnyStateNode, ...states].flatMap((state) => arrowsOf(state, machine));
  const needsAny = arrows.some(({ from }) => from === "any");
  const names = [...(needsAny ? ["any"] : []), ...states.map(({ key }) => key)];
  const graph: ElkNode = await new elkModule.default().layout<ElkNode>({
    id: "machine",
    layoutOptions: { ...layoutOptions, "elk.direction": direction },
    children: names.map((id) => ({ id, width: Math.max(84, id.length * STATE_CHAR_WIDTH + 52), height: 44 })),
    edges: arrows.map(toElkEdge),
  });
  const placed = new Map((graph.children ?? []).map((node) => [node.id, node]));
  return {
    description: machine.root.description ?? "",
    width: Math.ceil(graph.width ?? 0),
    height: Math.ceil(graph.height ?? 0),
    states: names.map((id) => drawnState(id, machine, placed.get(id))),
    transitions: arrows.map((arrow, index) => drawnTransition(arrow, graph.edges?.[index])),
  };
}

function arrowsOf(state: AnyStateNode, machine: AnyStateMachine): Arrow[] {
  const from = state === machine.root ? "any" : state.key;
  return ([...state.transitions.values()].flat() as unknown as Transition[]).map((transition) => ({
    from,
    to: (transition.target?.[0] as AnyStateNode | undefined)?.key ?? from,
    label: labelOf(transition),
    description: transition.description ?? "",
  }));
}

/** The event, with the guard's name where there is one; a delay by its name. */
function labelOf({ eventType, guard }: Transition): string {
  const delay = /^xstate\.after\.([^.]+)\./.exec(eventType);
  return `${delay ? `after ${delay[1]}` : eventType}${typeof guard === "string" ? ` [${guard}]` : ""}`;
}

function toElkEdge({ from, to, label }: Arrow, index: number): ElkExtendedEdge {
  return {
    id: `edge${index}`,
    sources: [from],
    targets: [to],
    labels: [
      {
        text: label,
        width: label.length * LABEL_CHAR_WIDTH + 10,
        height: 20,
        layoutOptions: { "elk.edgeLabels.inline": "true" },
      },
    ],
  };
}

function drawnState(id: string, machine: AnyStateMachine, node: ElkNode | undefined): DrawnState {
  const state = machine.states[id] as AnyStateNode | undefined;
  return {
    id,
    type: state === undefined ? "any" : state.type === "final" ? "final" : "state",
    initial: machine.root.initial.target[0]?.key === id,
    description: state?.description ?? "Whatever state it is in.",
    x: round(node?.x),
    y: round(node?.y),
    width: round(node?.width),
    height: round(node?.height),
  };
}

function drawnTransition({ from, to, label, description }: Arrow, edge: ElkExtendedEdge | undefined) {
  const section = edge?.sections?.[0];
  const corners = section === undefined ? [] : [section.startPoint, ...(section.bendPoints ?? []), section.endPoint];
  const text = edge?.labels?.[0];
  const labelWidth = text?.width ?? 0;
  return {
    id: transitionId(from, label, to),
    label,
    description,
    points: corners.map(({ x, y }): Point => [round(x), round(y)]),
    labelAt: [round((text?.x ?? 0) + labelWidth / 2), round((text?.y ?? 0) + (text?.height ?? 0) / 2)] as const,
    labelWidth,
  };
}

function round(length = 0): number {
  return Math.round(length * 10) / 10;
}
