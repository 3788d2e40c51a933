import { drawn, element, setAttribute, setText } from "./dom.js";
import { number, span } from "./format.js";

/** @import {Sample} from "../wire.ts" */

/** How much time a plot shows, in ms, and the most samples in that time. */
const SHOWN_MS = 300_000;
const HEIGHT = 56;
const WIDTH = 300;

/** @type {readonly { title: string, read: (sample: Sample) => number | null, format: (value: number) => string }[]} */
const kinds = [
  { title: "Events/s", read: ({ events }) => events, format: number },
  { title: "Messages/s", read: ({ messages }) => messages, format: number },
  { title: "Duplicates/s", read: ({ duplicates }) => duplicates, format: number },
  { title: "Live runs", read: ({ liveRuns }) => liveRuns, format: number },
  { title: "Delivery latency", read: ({ latencyMs }) => latencyMs, format: span },
];

/** The plots, and a function that adds samples to them. */
export function createPlots() {
  /** @type {Sample[]} */
  let samples = [];
  const plots = kinds.map(createPlot);
  return {
    nodes: plots.map(({ node }) => node),
    /** @param {readonly Sample[]} fresh */
    add(fresh) {
      const last = fresh.at(-1);
      if (last === undefined) return;
      // After a lost connection the server sends its samples again. None may be shown twice.
      const first = fresh[0]?.at ?? 0;
      samples = [...samples.filter(({ at }) => at < first && at >= last.at - SHOWN_MS), ...fresh];
      for (const plot of plots) plot.show(samples, last.at);
    },
  };
}

/** @param {typeof kinds[number]} kind */
function createPlot({ title, read, format }) {
  const area = drawn("path", { class: "area" });
  const line = drawn("path", { class: "line" });
  const svg = drawn("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" }, area, line);
  const now = element("span", { class: "now" }, "–");
  const most = element("span", { class: "quiet" });
  const node = element("figure", { class: "panel plot" }, element("figcaption", {}, title, now), svg, most);
  svg.setAttribute("aria-label", title);
  return {
    node,
    /**
     * @param {readonly Sample[]} samples
     * @param {number} end
     */
    show(samples, end) {
      const values = samples.map(read);
      const peak = values.reduce((/** @type {number} */ max, value) => Math.max(max, value ?? 0), 0);
      const scale = peak === 0 ? 0 : (HEIGHT - 4) / peak;
      const stretches = stretchesOf(samples, values).map((stretch) =>
        stretch.map(({ at, value }) => [WIDTH - ((end - at) / SHOWN_MS) * WIDTH, HEIGHT - 1 - value * scale]),
      );
      line.setAttribute("d", stretches.map(lineThrough).join(""));
      area.setAttribute("d", stretches.map(areaUnder).join(""));
      const last = values.at(-1);
      const value = last === null || last === undefined ? "–" : format(last);
      setText(now, value);
      setText(most, peak === 0 ? "" : `most ${format(peak)}`);
      setAttribute(svg, "aria-label", `${title}: ${value} now, at most ${format(peak)} in the last five minutes`);
    },
  };
}

/**
 * The stretches of consecutive samples that have values.
 * @param {readonly Sample[]} samples
 * @param {readonly (number | null)[]} values
 */
function stretchesOf(samples, values) {
  /** @type {{ at: number, value: number }[][]} */
  const stretches = [];
  let before = false;
  for (const [index, { at }] of samples.entries()) {
    const value = values[index] ?? null;
    if (value !== null && !before) stretches.push([]);
    if (value !== null) stretches.at(-1)?.push({ at, value });
    before = value !== null;
  }
  return stretches;
}

/** @param {number[][]} points */
function lineThrough(points) {
  // A single value would be a line without length.
  const [[x = 0, y = 0] = []] = points;
  const shown = points.length === 1 ? [[x - 3, y], ...points] : points;
  return `M${shown.map((point) => point.map((length) => length.toFixed(1)).join(" ")).join("L")}`;
}

/** @param {number[][]} points */
function areaUnder(points) {
  const first = points[0]?.[0] ?? 0;
  const last = points.at(-1)?.[0] ?? 0;
  return `${lineThrough(points)}L${last.toFixed(1)} ${HEIGHT}L${first.toFixed(1)} ${HEIGHT}Z`;
}
