import { drawn, setAttribute, setText } from "./dom.js";
import { number } from "./format.js";

/** @import {Drawing, DrawnState, DrawnTransition, MachineName} from "../drawing.ts" */

/** The radius of rounded corners, in px. */
const CORNER = 7;
/** The smallest scale at which the words can be read. Below it the drawing is scrolled. */
const SMALLEST = 0.78;
/** How long a transition stays lit, in ms. */
const LIT_MS = 1_100;

/**
 * Draws a machine. `update` shows how many are in each state and lights up the transitions that happened.
 * @param {MachineName} name
 * @param {Drawing} drawing
 */
export function createMachine(name, drawing) {
  const states = new Map(drawing.states.map((state) => [state.id, drawState(state)]));
  const transitions = new Map(drawing.transitions.map((transition) => [transition.id, drawTransition(transition)]));
  const arrow = `arrow-${name}`;
  const svg = drawn(
    "svg",
    { viewBox: `0 0 ${drawing.width} ${drawing.height}`, width: drawing.width, height: drawing.height, role: "img" },
    drawn(
      "defs",
      {},
      drawn(
        "marker",
        {
          id: arrow,
          viewBox: "0 0 8 8",
          refX: 7,
          refY: 4,
          markerWidth: 8,
          markerHeight: 8,
          markerUnits: "userSpaceOnUse",
          orient: "auto",
        },
        drawn("path", { d: "M0 0 8 4 0 8z", class: "arrowhead" }),
      ),
    ),
    ...[...transitions.values()].map(({ path }) => path),
    ...[...transitions.values()].map(({ label }) => label),
    ...[...states.values()].map(({ node }) => node),
  );
  svg.style.minWidth = `${Math.round(drawing.width * SMALLEST)}px`;
  for (const { path } of transitions.values()) path.setAttribute("marker-end", `url(#${arrow})`);

  return {
    node: svg,
    /**
     * @param {Readonly<Record<string, number>>} counts
     * @param {Readonly<Record<string, number>>} taken
     */
    update(counts, taken) {
      for (const [id, state] of states) state.show(counts[id]);
      for (const [id, times] of Object.entries(taken)) transitions.get(id)?.light(times);
      const inWords = Object.entries(counts).map(([id, count]) => `${id} ${number(count)}`);
      setAttribute(svg, "aria-label", `${drawing.description} Now: ${inWords.join(", ")}.`);
    },
  };
}

/** @param {DrawnState} state */
function drawState({ id, type, initial, description, x, y, width, height }) {
  const middle = height / 2;
  const count = drawn("text", { x: width - 12, y: middle + 5, class: "state-count" });
  const node = drawn(
    "g",
    { transform: `translate(${x} ${y})`, class: `state ${type}`, "data-state": id },
    drawn("title", {}, description),
    drawn("rect", { width, height, rx: 9 }),
    ...(type === "final" ? [drawn("rect", { x: 3, y: 3, width: width - 6, height: height - 6, rx: 6.5 })] : []),
    ...(initial ? [drawn("circle", { cx: 13, cy: middle, r: 3.5, class: "initial" })] : []),
    drawn("text", { x: initial ? 22 : 12, y: middle + 5 }, type === "any" ? "any state" : id),
    count,
  );
  return {
    node,
    /** @param {number | undefined} value */
    show(value) {
      if (type === "any") return;
      setText(count, short(value ?? 0));
      setAttribute(node, "data-count", String(value ?? 0));
      node.classList.toggle("occupied", (value ?? 0) > 0);
    },
  };
}

/** @param {DrawnTransition} transition */
function drawTransition({ id, label, description, points, labelAt: [x, y], labelWidth }) {
  const path = drawn("path", { d: rounded(points), class: "transition" });
  const tag = drawn(
    "g",
    { class: "transition-label", "data-transition": id, "data-taken": 0 },
    drawn("title", {}, description),
    drawn("rect", { x: x - labelWidth / 2, y: y - 10, width: labelWidth, height: 20, rx: 5 }),
    drawn("text", { x, y: y + 4 }, label),
  );
  let taken = 0;
  /** @type {readonly Animation[]} */
  let lit = [];
  return {
    path,
    label: tag,
    /** @param {number} times */
    light(times) {
      taken += times;
      tag.setAttribute("data-taken", String(taken));
      for (const animation of lit) animation.cancel();
      const colour = { stroke: "var(--lit)" };
      lit = [
        path.animate([{ ...colour, strokeWidth: "3px" }, {}], LIT_MS),
        ...[...tag.children]
          .slice(1, 2)
          .map((box) => box.animate([{ ...colour, fill: "var(--lit-soft)" }, {}], LIT_MS)),
      ];
    },
  };
}

/**
 * A line along the points with rounded corners.
 * @param {DrawnTransition["points"]} points
 */
function rounded(points) {
  return points
    .map(([x, y], index) => {
      const before = points[index - 1];
      const after = points[index + 1];
      if (before === undefined) return `M${x} ${y}`;
      if (after === undefined) return `L${x} ${y}`;
      const [fromX, fromY] = towards([x, y], before);
      const [toX, toY] = towards([x, y], after);
      return `L${fromX} ${fromY}Q${x} ${y} ${toX} ${toY}`;
    })
    .join("");
}

/**
 * The point at a corner's distance from one point towards another, or half way if they are near.
 * @param {readonly [number, number]} from
 * @param {readonly [number, number]} to
 */
function towards([x, y], [toX, toY]) {
  const length = Math.hypot(toX - x, toY - y);
  const part = length === 0 ? 0 : Math.min(CORNER, length / 2) / length;
  return [x + (toX - x) * part, y + (toY - y) * part];
}

/**
 * A count in at most four characters.
 * @param {number} value
 */
function short(value) {
  if (value < 10_000) return String(value);
  return value < 1_000_000 ? `${Math.floor(value / 1_000)}k` : `${Math.floor(value / 100_000) / 10}M`;
}
