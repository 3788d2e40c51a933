import { createBanners } from "./banners.js";
import { createDetails } from "./details.js";
import { byId, element, setAttribute, setText } from "./dom.js";
import { createFilter } from "./filter.js";
import { rememberFolds } from "./folds.js";
import { number, words } from "./format.js";
import { createLetters } from "./letters.js";
import { createLists } from "./lists.js";
import { createMachine } from "./machine.js";
import { createPlots } from "./plots.js";
import { listen } from "./stream.js";
import { timeOf, zone } from "./times.js";

/** @import {Drawings, MachineName} from "../drawing.ts" */
/** @import {Update} from "../wire.ts" */
/** @import {StreamState} from "./stream.js" */

/** @typedef {Update["stats"]} Stats */

/** The counters at the top, in this order. @type {readonly (readonly [keyof Stats, string, string])[]} */
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

/** Whether the lists are held, so that a line can be read and reached while many others come. */
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
  rememberFolds();
  const showTiles = createTiles();
  const showCounters = createCounters();
  const showMachines = createMachines(drawings);
  const showBanners = createBanners();
  const isHeld = createHold();
  const letters = createLetters((letter) => details.openLetter(letter));
  const details = createDetails(letters);
  const lists = createLists(details.openRun);
  const filter = createFilter(lists.showFound);
  const plots = createPlots();
  byId("plots").append(...plots.nodes);

  /** Updates that came while the lists were held. @type {Pick<Update, "live" | "settled">} */
  let missed = {};
  /** @param {Update} update */
  function onUpdate(update) {
    const { at, since, stats, showText, action, live, settled } = update;
    showTiles(stats);
    showCounters(stats);
    showMachines(update);
    showBanners(update);
    plots.add(update.samples);
    details.allow(action);
    lists.showLinks(update);
    const hidden = showText ? "" : "; texts are hidden";
    setText(byId("watched"), `Each event is followed since ${timeOf(since, at)}${hidden}. Times: ${zone}.`);
    missed = { ...missed, ...(live && { live }), ...(settled && { settled }) };
    if (isHeld()) return;
    if (live !== undefined || settled !== undefined) filter.refresh();
    letters.show(stats.dead, at);
    lists.show({ ...update, ...missed });
    missed = {};
  }

  listen({ onState: showConnection, onUpdate });
  details.follow();
}

await main();
