import { sayAloud } from "./aloud.js";
import { copyButton } from "./copy.js";
import { byId, element, setText } from "./dom.js";
import { counted, number } from "./format.js";
import { keyedRows } from "./rows.js";
import { shownKey } from "./session.js";
import { timeOf, wholeTime } from "./times.js";

/** @import {DeadPage, DeadRow} from "../wire.ts" */

/**
 * How often the list is requested again, in ms: at most after a new dead letter, and otherwise, since others may share
 * the ledger.
 */
const SHORT_MS = 1_000;
const PAUSE_MS = 10_000;

/**
 * The list of dead letters, page by page.
 * @param {(letter: DeadRow) => void} onOpen
 */
export function createLetters(onOpen) {
  let now = 0;
  let seen = -1;
  let askedAt = 0;
  /** The last letter of the page before the shown one. */
  let after = "";
  /** @type {DeadPage} */
  let page = { rows: [], hasMore: false };

  const lines = keyedRows(
    byId("dead"),
    (/** @type {DeadRow} */ { id }) => id,
    (row) => letterLine(row, onOpen, () => now),
  );

  async function read() {
    askedAt = performance.now();
    const asked = after;
    try {
      const response = await fetch(`dead?after=${encodeURIComponent(asked)}`);
      if (asked !== after) return;
      if (!response.ok)
        return setText(byId("dead-note"), `The dead letters cannot be read now: ${await response.text()}`);
      page = await response.json();
      // Every letter after this one was dropped or delivered. Start from the first page.
      if (page.rows.length === 0 && after !== "") return turnTo("");
      show();
    } catch {
      // The server is away. The page shows that and asks again.
    }
  }

  function show() {
    lines(page.rows);
    const { rows, hasMore } = page;
    setText(byId("dead-count"), `${number(rows.length)}${hasMore || after !== "" ? "+" : ""}`);
    byId("dead-note").hidden = rows.length > 0;
    setText(byId("dead-note"), "None.");
    byId("dead-pages").hidden = !hasMore && after === "";
    byId("dead-first").hidden = after === "";
    byId("dead-next").hidden = !hasMore;
  }

  /** @param {string} id */
  function turnTo(id) {
    after = id;
    void read();
  }

  byId("dead-first").addEventListener("click", () => turnTo(""));
  byId("dead-next").addEventListener("click", () => turnTo(page.rows.at(-1)?.id ?? ""));

  return {
    /**
     * @param {number} deaths
     * @param {number} at
     */
    show(deaths, at) {
      now = at;
      const pauseMs = deaths === seen ? PAUSE_MS : SHORT_MS;
      if (askedAt > 0 && performance.now() - askedAt < pauseMs) return;
      seen = deaths;
      void read();
    },
    /** @param {string} id */
    find: (id) => page.rows.find((row) => row.id === id),
    read,
  };
}

/**
 * @param {DeadRow} row
 * @param {(letter: DeadRow) => void} onOpen
 * @param {() => number} now
 */
function letterLine(row, onOpen, now) {
  const { sessionKey, runId, chars } = row;
  const open = element("button", { type: "button", class: "open", title: sessionKey }, ...shownKey(sessionKey));
  open.addEventListener("click", () => onOpen(row));
  const beneath = element(
    "span",
    { class: "beneath quiet", title: runId },
    `${counted(chars, "character")} · ${runId}`,
  );
  const error = element("span", { class: "error" });
  const attempts = element("td", { class: "number wide" });
  const died = element("td", { class: "number" });
  return {
    node: element("tr", {}, element("th", { scope: "row" }, open, beneath), element("td", {}, error), attempts, died),
    /** @param {DeadRow} next */
    update(next) {
      setText(error, next.error ?? "");
      setText(attempts, number(next.attempts));
      setText(died, timeOf(next.at, now()));
      died.title = wholeTime(next.at);
    },
  };
}

/**
 * What can be done about a dead letter: a command to type, and a button if the page may act.
 * @param {string} id
 * @param {string | undefined} action What to send with the request; undefined when the page may only show.
 * @param {() => void} onDone
 */
export function remedies(id, action, onDone) {
  const command = `openclaw-inbox dead retry ${id} --ledger FILE`;
  const typed = (/** @type {string} */ text, /** @type {string} */ what) =>
    element("p", { class: "typed" }, element("code", {}, text), copyButton(text, what));
  const said = element("p", { class: "outcome", role: "status" });
  const nodes = [
    element("h3", {}, "To deliver it again"),
    typed(command, "the command"),
    typed(`await inbox.redeliver("${id}");`, "the call"),
  ];
  if (action === undefined) return nodes;
  const retry = element("button", { type: "button", class: "act" }, "Deliver it now");
  retry.addEventListener("click", async () => {
    retry.disabled = true;
    const text = await redeliver(id, action);
    setText(said, text);
    sayAloud(text);
    retry.disabled = false;
    onDone();
  });
  return [...nodes.slice(0, 1), element("p", { class: "typed" }, retry, said), ...nodes.slice(1)];
}

/**
 * @param {string} id
 * @param {string} action
 */
async function redeliver(id, action) {
  try {
    const headers = { "X-Inspector-Action": action };
    const response = await fetch(`redeliver?id=${encodeURIComponent(id)}`, { method: "POST", headers });
    if (response.ok) return "Given to delivery, from attempt 1.";
    return response.status === 404 ? "It is not a dead letter any longer." : `Refused: ${await response.text()}`;
  } catch {
    return "The server is away.";
  }
}
