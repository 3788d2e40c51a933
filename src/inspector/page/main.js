import { createDetails } from "./details.js";
import { byId, element, setAttribute, setText } from "./dom.js";
import { ago, number, words } from "./format.js";
import { createLists } from "./lists.js";
import { createMachine } from "./machine.js";
import { createPlots } from "./plots.js";
import { listen } from "./stream.js";

/** @import {Drawings, MachineName} from "../drawing.ts" */
/** @import {Update} from "../wire.ts" */
/** @import {StreamState} from "./stream.js" */

/** @typedef {Update["stats"]} Stats */

/** What stands at the top, in this order. @type {readonly (readonly [keyof Stats, string, string])[]} */
const tiles = [
  ["liveRuns", "live runs", "live"],
  ["dispatched", "dispatched", "good"],
  ["delivered", "delivered", "good"],
  ["pending", "pending", "live"],
  ["dead", "dead letters", "bad"],
  ["discarded", "discarded", "plain"],
  ["errored", "errored", "bad"],
  ["aborted", "aborted", "plain"],
  ["expired", "expired", "warn"],
  ["duplicates", "duplicates", "plain"],
  ["rejected", "rejected", "bad"],
];

const connectionTexts = {
  connecting: "connecting",
  watching: "watching",
  lost: "connection lost, trying again",
  refused: "refused: open the address that was printed last",
};

const machineNames = /** @type {const} */ (["run", "delivery", "link"]);

/** @param {StreamState} state */
function showConnection(state) {
  setText(byId("connection"), connectionTexts[state]);
  setAttribute(byId("connection"), "data-state", state);
}

function createTiles() {
  const shown = tiles.map(([name, label, tone]) => {
    const value = element("dd", {}, "0");
    byId("tiles").append(element("div", { class: "panel tile", "data-tone": tone }, element("dt", {}, label), value));
    return { name, value };
  });
  return (/** @type {Stats} */ stats) => {
    for (const { name, value } of shown) {
      setText(value, number(stats[name]));
      value.parentElement?.classList.toggle("zero", stats[name] === 0);
    }
  };
}

function createCounters() {
  /** @type {Map<string, HTMLElement>} */
  const values = new Map();
  return (/** @type {Stats} */ stats) => {
    for (const [name, count] of Object.entries(stats)) {
      const value = values.get(name) ?? element("dd");
      if (!values.has(name)) byId("counters").append(element("div", {}, element("dt", {}, words(name)), value));
      values.set(name, value);
      setText(value, number(count));
    }
  };
}

/** @param {Drawings} drawings */
function createMachines(drawings) {
  const machines = machineNames.map((name) => {
    const machine = createMachine(name, drawings[name]);
    const scroller = element("div", {
      class: "scroller",
      tabindex: "0",
      role: "group",
      "aria-label": `Drawing: ${name}`,
    });
    scroller.append(machine.node);
    byId(`machine-${name}`).append(scroller);
    return /** @type {const} */ ([name, machine]);
  });
  return (/** @type {Update} */ { states, taken }) => {
    for (const [name, machine] of machines) machine.update(states[name], taken[name]);
  };
}

/** Says whether lists stand still, so that a line can be read and reached while many come and go. */
function createHold() {
  const button = byId("hold");
  let held = false;
  button.addEventListener("click", () => {
    held = !held;
    button.setAttribute("aria-pressed", String(held));
  });
  return () => held;
}

async function main() {
  const drawings = /** @type {Drawings} */ (await (await fetch("drawings.json")).json());
  const showTiles = createTiles();
  const showCounters = createCounters();
  const showMachines = createMachines(drawings);
  const isHeld = createHold();
  const details = createDetails();
  const lists = createLists(details.open);
  const plots = createPlots();
  byId("plots").append(...plots.nodes);

  /** What the lists were not shown while they were held. @type {Pick<Update, "live" | "settled">} */
  let missed = {};
  let deadSeen = -1;
  async function readDead() {
    const response = await fetch("dead");
    if (response.ok) lists.showDead(await response.json());
  }

  /** @param {Update} update */
  function onUpdate(update) {
    showTiles(update.stats);
    showMachines(update);
    plots.add(update.samples);
    setText(
      byId("watched"),
      `Runs are followed since ${ago(update.at - update.since).replace(" ago", "")}${update.showText ? "" : "; texts are hidden"}.`,
    );
    if (byId("counters").closest("details")?.open) showCounters(update.stats);
    const { live, settled } = update;
    missed = { ...missed, ...(live && { live }), ...(settled && { settled }) };
    if (update.stats.dead !== deadSeen) void readDead();
    deadSeen = update.stats.dead;
    if (isHeld()) return;
    lists.show({ ...update, ...missed });
    missed = {};
  }

  listen({ onState: showConnection, onUpdate });
}

await main();
