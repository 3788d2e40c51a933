import { byId, element, setAttribute, setText } from "./dom.js";
import { ago, counted, number, span } from "./format.js";
import { keyedRows } from "./rows.js";

/** @import {LinkStatus} from "../../types.ts" */
/** @import {DeadPage, DeadRow, LiveRow, Rows, RunRow, SettledRow, Update} from "../wire.ts" */

/** The inbox's time at the last update: ages are counted from it. */
let now = 0;

/**
 * The lists of the page; `show` brings them up to date, and `onOpen` is told of a run that somebody wants to see.
 * @param {(run: number) => void} onOpen
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
  const dead = keyedRows(byId("dead"), (/** @type {DeadRow} */ { id }) => id, deadLine);
  /** @type {Rows<LiveRow>} */
  let lastLive = { total: 0, rows: [] };
  /** @type {Rows<SettledRow>} */
  let lastSettled = { total: 0, rows: [] };

  return {
    /** @param {Update} update */
    show(update) {
      now = update.at;
      lastLive = update.live ?? lastLive;
      lastSettled = update.settled ?? lastSettled;
      live(lastLive.rows);
      settled(lastSettled.rows);
      links(update.links);
      note("live", lastLive, "No run is going on.", "newest");
      note("settled", lastSettled, "None since this page was opened.", "latest");
      byId("links-note").hidden = update.links.length > 0;
    },
    /** @param {DeadPage} page */
    showDead({ rows, hasMore }) {
      dead(rows);
      setText(byId("dead-count"), `${number(rows.length)}${hasMore ? "+" : ""}`);
      byId("dead-note").hidden = rows.length > 0;
    },
  };
}

/**
 * The count beside a title, and what is said below a list that is empty or cut.
 * @param {"live" | "settled"} list
 * @param {Rows<unknown>} rows
 * @param {string} whenEmpty
 * @param {string} which
 */
function note(list, { total, rows }, whenEmpty, which) {
  setText(byId(`${list}-count`), number(total));
  const below = byId(`${list}-note`);
  below.hidden = total === rows.length && total > 0;
  setText(below, total === 0 ? whenEmpty : `The ${which} ${number(rows.length)} of ${number(total)}.`);
}

/**
 * The cell that names a run, and opens it.
 * @param {RunRow} row
 * @param {(run: number) => void} onOpen
 */
function sessionCell({ number: run, gateway, runId, sessionKey }, onOpen) {
  const open = element("button", { type: "button", class: "open", title: sessionKey ?? runId }, sessionKey ?? runId);
  const place = gateway === "default" ? runId : `${gateway} · ${runId}`;
  const tail = element("span", { class: "tail" });
  open.addEventListener("click", () => onOpen(run));
  const marks = element("span", { class: "marks" });
  const beneath = element("span", { class: "beneath quiet", title: runId }, place);
  const cell = element("th", { scope: "row" }, open, beneath, marks, tail);
  return {
    cell,
    /** @param {RunRow} row */
    update({ sessionKey: key, duplicates, late, tail: text = "" }) {
      setText(open, key ?? runId);
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
 * @param {(run: number) => void} onOpen
 */
function liveLine(row, onOpen) {
  const session = sessionCell(row, onOpen);
  const age = element("span");
  const bar = element("progress", { max: "1", "aria-label": "Age, of the time it may take" });
  const chars = numberCell();
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
 * @param {(run: number) => void} onOpen
 */
function settledLine(row, onOpen) {
  const session = sessionCell(row, onOpen);
  const outcome = element("span", { class: "outcome" });
  const reason = element("span", { class: "beneath quiet" });
  const delivery = element("span", { class: "delivery" });
  const attempts = element("span", { class: "beneath quiet" });
  const chars = numberCell("wide");
  const lasted = numberCell("wide");
  const ended = numberCell("wide");
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
      setText(attempts, next.attempts > 1 ? counted(next.attempts, "attempt") : "");
      setText(chars, number(next.chars));
      setText(lasted, span(next.settledAt - next.startedAt));
      setText(ended, ago(now - next.settledAt));
    },
  };
}

/** @param {LinkStatus} row */
function linkLine({ gateway, owner }) {
  const state = element("span", { class: "link" });
  const reason = element("span", { class: "beneath quiet" });
  const since = numberCell();
  const name = element("th", { scope: "row" }, gateway);
  if (owner !== undefined) name.append(element("span", { class: "beneath quiet" }, owner));
  return {
    node: element("tr", {}, name, element("td", {}, state, reason), since),
    /** @param {LinkStatus} next */
    update(next) {
      setText(state, next.state);
      setAttribute(state, "data-state", next.state);
      setText(reason, next.reason ?? "");
      setText(since, ago(now - next.since));
    },
  };
}

/** @param {DeadRow} row */
function deadLine({ sessionKey, runId, chars }) {
  const error = element("td", { class: "error" });
  const attempts = numberCell("wide");
  const died = numberCell();
  const beneath = element("span", { class: "beneath quiet" }, `${runId} · ${counted(chars, "character")}`);
  return {
    node: element("tr", {}, element("th", { scope: "row" }, sessionKey, beneath), error, attempts, died),
    /** @param {DeadRow} next */
    update(next) {
      setText(error, next.error ?? "");
      setText(attempts, number(next.attempts));
      setText(died, ago(now - next.at));
    },
  };
}
