import { byId, element, setAttribute, setText } from "./dom.js";
import { ago, counted, number, span } from "./format.js";
import { keyedRows } from "./rows.js";
import { shownKey } from "./session.js";
import { timeOf, wholeTime } from "./times.js";

/** @import {LinkStatus} from "../../types.ts" */
/** @import {FoundRuns, LiveRow, Rows, RunRow, SettledRow, Update} from "../wire.ts" */

/** The inbox's time at the last update. Ages are computed from it. */
let now = 0;

/**
 * The lists of runs and links. `show` updates them, and `onOpen` is called with a run that was selected.
 * @param {(row: LiveRow | SettledRow) => void} onOpen
 */
export function createLists(onOpen) {
  const live = keyedRows(
    byId("live"),
    (/** @type {LiveRow} */ { number: run }) => String(run),
    (row) => liveLine(row, onOpen),
  );
  const settled = keyedRows(
    byId("settled"),
    (/** @type {SettledRow} */ { number: run }) => String(run),
    (row) => settledLine(row, onOpen),
  );
  const links = keyedRows(
    byId("links"),
    (/** @type {LinkStatus} */ { gateway, owner = "" }) => `${gateway} ${owner}`,
    linkLine,
  );
  /** @type {FoundRuns} */
  let last = { live: { total: 0, rows: [] }, settled: { total: 0, rows: [] } };
  /** The matching runs while there is a search. @type {FoundRuns | undefined} */
  let found;

  function showRuns() {
    const shown = found ?? last;
    live(shown.live.rows);
    settled(shown.settled.rows);
    note("live", shown.live, last.live, found !== undefined, "No live runs.", "newest");
    note("settled", shown.settled, last.settled, found !== undefined, "None since the process began.", "latest");
  }

  return {
    /** @param {Update} update */
    show(update) {
      now = update.at;
      last = { live: update.live ?? last.live, settled: update.settled ?? last.settled };
      showRuns();
    },
    /** @param {FoundRuns | undefined} runs */
    showFound(runs) {
      found = runs;
      showRuns();
    },
    /** @param {Update} update */
    showLinks(update) {
      now = update.at;
      links(update.links);
      byId("links-note").hidden = update.links.length > 0;
    },
  };
}

/**
 * Sets the count beside a title, and the note below a list that is empty or cut.
 * @param {"live" | "settled"} list
 * @param {Rows<unknown>} shown
 * @param {Rows<unknown>} all
 * @param {boolean} isFiltered
 * @param {string} whenEmpty
 * @param {string} which
 */
function note(list, shown, all, isFiltered, whenEmpty, which) {
  setText(byId(`${list}-count`), isFiltered ? `${number(shown.total)} of ${number(all.total)}` : number(all.total));
  const below = byId(`${list}-note`);
  below.hidden = shown.total === shown.rows.length && shown.total > 0;
  if (shown.total > 0) setText(below, `The ${which} ${number(shown.rows.length)} of ${number(shown.total)}.`);
  else setText(below, isFiltered ? "No run matches the search." : whenEmpty);
}

/**
 * The cell with a run's name. A click opens the run.
 * @param {LiveRow | SettledRow} row
 * @param {(row: LiveRow | SettledRow) => void} onOpen
 */
function sessionCell(row, onOpen) {
  const { gateway, runId } = row;
  const open = element("button", { type: "button", class: "open" });
  const place = gateway === "default" ? runId : `${gateway} · ${runId}`;
  const tail = element("span", { class: "tail" });
  open.addEventListener("click", () => onOpen(row));
  const marks = element("span", { class: "marks" });
  const beneath = element("span", { class: "beneath quiet", title: runId }, place);
  const cell = element("th", { scope: "row" }, open, beneath, marks, tail);
  /** @type {string | undefined} */
  let shown;
  return {
    cell,
    /** @param {RunRow} next */
    update({ sessionKey, duplicates, late, tail: text = "" }) {
      const key = sessionKey ?? runId;
      if (key !== shown) open.replaceChildren(...shownKey(key));
      setAttribute(open, "title", key);
      shown = key;
      setText(tail, text);
      const noticed = [
        duplicates > 0 ? counted(duplicates, "duplicate") : "",
        late > 0 ? `${number(late)} after the end` : "",
      ];
      setText(marks, noticed.filter((word) => word !== "").join(", "));
    },
  };
}

/** @param {string} [more] */
function numberCell(more = "") {
  return element("td", { class: `number ${more}`.trim() });
}

/**
 * @param {LiveRow} row
 * @param {(row: LiveRow | SettledRow) => void} onOpen
 */
function liveLine(row, onOpen) {
  const session = sessionCell(row, onOpen);
  const age = element("span");
  const bar = element("progress", { max: "1", "aria-label": "Age, compared with the time limit" });
  const chars = numberCell("wide");
  const rate = numberCell();
  const node = element("tr", {}, session.cell, element("td", { class: "number age" }, age, bar), chars, rate);
  return {
    node,
    /** @param {LiveRow} next */
    update(next) {
      session.update(next);
      const ageMs = now - next.startedAt;
      setText(age, span(ageMs));
      const ttlMs = next.expiresAt - next.startedAt;
      setAttribute(bar, "value", Math.min(1, ageMs / ttlMs).toFixed(3));
      setAttribute(bar, "title", `${span(ageMs)} of ${span(ttlMs)}`);
      setText(chars, number(next.chars));
      setText(rate, number(next.deltasPerSecond));
    },
  };
}

/**
 * @param {SettledRow} row
 * @param {(row: LiveRow | SettledRow) => void} onOpen
 */
function settledLine(row, onOpen) {
  const session = sessionCell(row, onOpen);
  const outcome = element("span", { class: "outcome" });
  const reason = element("span", { class: "beneath quiet" });
  const delivery = element("span", { class: "delivery" });
  const attempts = element("span", { class: "beneath quiet" });
  const chars = numberCell("wide");
  const lasted = numberCell("wide");
  const ended = numberCell();
  const agoText = element("span", { class: "beneath quiet" });
  const endedAt = element("span");
  ended.append(endedAt, agoText);
  const node = element(
    "tr",
    {},
    session.cell,
    element("td", {}, outcome, reason),
    element("td", {}, delivery, attempts),
    chars,
    lasted,
    ended,
  );
  return {
    node,
    /** @param {SettledRow} next */
    update(next) {
      session.update(next);
      setText(outcome, next.status);
      setAttribute(outcome, "data-state", next.status);
      setText(reason, next.reason ?? "");
      setAttribute(reason, "title", next.reason ?? "");
      setText(delivery, next.delivery ?? "");
      setAttribute(delivery, "data-state", next.delivery ?? "");
      const isRetried = next.attempts > 1 || next.retryAt !== undefined;
      const tried = isRetried ? counted(next.attempts, "attempt") : "";
      const again = next.retryAt === undefined ? "" : `again in ${span(next.retryAt - now)}`;
      const state = [tried, again].filter((word) => word !== "").join(", ");
      setText(attempts, [state, next.error ?? ""].filter((word) => word !== "").join(": "));
      setAttribute(attempts, "title", next.error ?? "");
      setText(chars, number(next.chars));
      setText(lasted, span(next.settledAt - next.startedAt));
      setText(endedAt, timeOf(next.settledAt, now));
      setText(agoText, ago(now - next.settledAt));
      setAttribute(ended, "title", wholeTime(next.settledAt));
    },
  };
}

/** @param {LinkStatus} row */
function linkLine({ gateway, owner }) {
  const state = element("span", { class: "link" });
  const reason = element("span", { class: "beneath quiet" });
  const since = numberCell();
  const sinceAt = element("span");
  const sinceAgo = element("span", { class: "beneath quiet" });
  since.append(sinceAt, sinceAgo);
  const name = element("th", { scope: "row" }, gateway);
  if (owner !== undefined) name.append(element("span", { class: "beneath quiet" }, owner));
  return {
    node: element("tr", {}, name, element("td", {}, state, reason), since),
    /** @param {LinkStatus} next */
    update(next) {
      setText(state, next.state);
      setAttribute(state, "data-state", next.state);
      setText(reason, next.reason ?? "");
      setText(sinceAt, timeOf(next.since, now));
      setText(sinceAgo, ago(now - next.since));
      setAttribute(since, "title", wholeTime(next.since));
    },
  };
}
