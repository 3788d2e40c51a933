import { correctTo, goTo, leave, placeOfPage } from "./address.js";
import { copyButton } from "./copy.js";
import { byId, element, setText } from "./dom.js";
import { counted, number, span } from "./format.js";
import { remedies } from "./letters.js";
import { breakable, shownKey } from "./session.js";
import { wholeTime } from "./times.js";

/** @import {DeadRow, FoundRuns, LiveRow, RunDetails, SettledRow, TimelineEntry} from "../wire.ts" */

/** How often an open run is requested again, in ms. */
const PAUSE_MS = 500;

/**
 * The panel that shows the run or the dead letter in the page's address.
 * @param {{ find: (id: string) => DeadRow | undefined, read: () => Promise<void> }} letters
 */
export function createDetails(letters) {
  const dialog = /** @type {HTMLDialogElement} */ (byId("details"));
  let signature = "";
  /** @type {string | undefined} */
  let action;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  /** Shows what the address names, or nothing. */
  function follow() {
    clearTimeout(timer);
    const place = placeOfPage();
    if (place === undefined) return dialog.close();
    signature = "";
    clear();
    if (!dialog.open) dialog.showModal();
    if (place.kind === "run") void refresh(place.number, place.runId);
    else void showLetter(place.id);
  }

  /**
   * @param {number} run
   * @param {string} runId
   */
  async function refresh(run, runId) {
    const isShown = () => {
      const place = placeOfPage();
      return dialog.open && place?.kind === "run" && place.number === run && place.runId === runId;
    };
    try {
      const response = await fetch(`run?number=${run}`);
      /** @type {RunDetails | undefined} */
      const details = response.ok ? await response.json() : undefined;
      if (!isShown()) return;
      if (details?.run.runId !== runId) return void (await findAnew(runId, isShown));
      const next = JSON.stringify(details);
      if (next !== signature) showRun(details, action, letters.read);
      signature = next;
    } catch {
      // The server is away. The page shows that at the top, and asks again.
    }
    timer = setTimeout(() => refresh(run, runId), PAUSE_MS);
  }

  /**
   * After a restart the number belongs to another run, or to none. The run may have another number now.
   * @param {string} runId
   * @param {() => boolean} isShown
   */
  async function findAnew(runId, isShown) {
    const response = await fetch(`runs?${new URLSearchParams({ q: runId })}`);
    /** @type {FoundRuns} */
    const { live, settled } = await response.json();
    if (!isShown()) return;
    const found = [...live.rows, ...settled.rows].find((row) => row.runId === runId);
    if (found === undefined) return showNothing("This run is not remembered here", runId);
    correctTo({ kind: "run", number: found.number, runId });
    follow();
  }

  /** @param {string} id */
  async function showLetter(id) {
    if (letters.find(id) === undefined) await letters.read();
    const letter = letters.find(id);
    if (letter === undefined) return showNothing("This letter is not on the page of dead letters that is shown", id);
    showDead(letter, action, letters.read);
  }

  dialog.addEventListener("close", () => {
    clearTimeout(timer);
    leave();
  });
  addEventListener("popstate", follow);
  byId("details-close").addEventListener("click", () => dialog.close());
  // A click beside the dialog has the dialog itself as its target. Everything in the dialog is a child of it.
  dialog.addEventListener("click", ({ target }) => {
    if (target === dialog) dialog.close();
  });

  return {
    /** @param {LiveRow | SettledRow} row */
    openRun({ number: run, runId }) {
      goTo({ kind: "run", number: run, runId });
      follow();
    },
    /** @param {DeadRow} letter */
    openLetter({ id }) {
      goTo({ kind: "letter", id });
      follow();
    },
    follow,
    /** @param {string | undefined} next */
    allow(next) {
      action = next;
    },
  };
}

function clear() {
  byId("details-timeline").replaceChildren();
  byId("details-facts").replaceChildren();
  byId("details-dead").replaceChildren();
  byId("details-dead").hidden = true;
  byId("details-events").hidden = true;
  byId("details-text").hidden = true;
  setText(byId("details-title"), "…");
}

/**
 * @param {string} title
 * @param {string} name
 */
function showNothing(title, name) {
  setText(byId("details-title"), title);
  const text = "The last 1,000 settled runs are kept until the process ends. The log has each run by its id.";
  showFacts([
    ["Id", name, "the id"],
    ["Why", text],
  ]);
}

/**
 * Each fact is a name, a value, and, if it can be copied, what it is called.
 * @param {(readonly [string, string | undefined, string?])[]} facts
 */
function showFacts(facts) {
  byId("details-facts").replaceChildren(
    ...facts.flatMap(([name, value = "", copied]) => {
      if (value === "") return [];
      const shown = element("dd", {}, ...breakable(value));
      if (copied !== undefined) shown.append(" ", copyButton(value, copied));
      return element("div", {}, element("dt", {}, name), shown);
    }),
  );
}

/**
 * @param {RunDetails} details
 * @param {string | undefined} action
 * @param {() => void} onActed
 */
function showRun({ run, entries, dropped, droppedAfter, text }, action, onActed) {
  byId("details-title").replaceChildren(...shownKey(run.sessionKey ?? run.runId));
  const ended = "settledAt" in run ? run : undefined;
  showFacts([
    ["Session", run.sessionKey, "the session key"],
    ["Run", run.runId, "the run id"],
    ["Message", ended?.messageId, "the message id"],
    ["Gateway", run.gateway],
    ["Owner", run.owner],
    ["Origin", ended?.origin],
    ["State", ended === undefined ? "buffering" : `${ended.status}${ended.reason ? `: ${ended.reason}` : ""}`],
    ["Delivery", deliveryOf(ended)],
    ["Next try", ended?.retryAt === undefined ? "" : wholeTime(ended.retryAt)],
    ["Last error", ended?.error],
    ["Text", counted(run.chars, "character")],
    ["Attached", ended?.attached],
    ["Deltas", run.deltas === 0 ? "" : number(run.deltas)],
    ["Started", wholeTime(run.startedAt)],
    ["Ended", ended === undefined ? "" : wholeTime(ended.settledAt)],
  ]);
  const isDead = ended?.delivery === "dead" && ended.messageId !== undefined;
  const dead = byId("details-dead");
  if (isDead && dead.hidden) dead.replaceChildren(...remedies(ended.messageId ?? "", action, onActed));
  dead.hidden = !isDead;
  const said = byId("details-text");
  said.hidden = text === undefined || text === "";
  setText(said, text ?? "");
  const lines = entries.map(entryLine);
  if (dropped > 0) {
    const gap = element(
      "li",
      { class: "gap quiet" },
      `… ${counted(dropped, "entry").replace("entrys", "entries")} let go`,
    );
    lines.splice(droppedAfter, 0, gap);
  }
  if (run.number < 0 && ended !== undefined)
    lines.unshift(element("li", { class: "gap quiet" }, "No page was open during this run. Only its end is known."));
  byId("details-timeline").replaceChildren(...lines);
  byId("details-events").hidden = false;
}

/** @param {SettledRow | undefined} run */
function deliveryOf(run) {
  if (run?.delivery === undefined) return "";
  return run.attempts === 0 ? run.delivery : `${run.delivery}, ${counted(run.attempts, "attempt")}`;
}

/**
 * @param {DeadRow} letter
 * @param {string | undefined} action
 * @param {() => void} onActed
 */
function showDead({ id, gateway, runId, sessionKey, at, attempts, chars, attached, error }, action, onActed) {
  byId("details-title").replaceChildren(...shownKey(sessionKey));
  showFacts([
    ["Session", sessionKey, "the session key"],
    ["Message", id, "the message id"],
    ["Run", runId, "the run id"],
    ["Gateway", gateway],
    ["Delivery", `dead, ${counted(attempts, "attempt")}`],
    ["Last error", error],
    ["Text", counted(chars, "character")],
    ["Attached", attached],
    ["Died", wholeTime(at)],
  ]);
  byId("details-dead").replaceChildren(...remedies(id, action, onActed));
  byId("details-dead").hidden = false;
}

/** @param {TimelineEntry} entry */
function entryLine({ afterMs, what }) {
  const { title, tag, tone, text } = described(what);
  const line = element("li", { "data-kind": what.kind, "data-tone": tone });
  line.append(element("span", { class: "after" }, `+${(afterMs / 1_000).toFixed(3)} s`));
  line.append(element("span", { class: "what" }, title));
  if (tag !== "") line.append(element("span", { class: "tag" }, tag));
  if (text !== undefined && text !== "") line.append(element("span", { class: "said" }, `“${text}”`));
  return line;
}

/**
 * @param {TimelineEntry["what"]} what
 * @returns {{ title: string, tag: string, tone: string, text?: string | undefined }}
 */
function described(what) {
  switch (what.kind) {
    case "joined":
      return { title: `had begun before; ${counted(what.chars, "character")} so far`, tag: "", tone: "quiet" };
    case "event":
      return describedEvent(what);
    case "settled":
      return {
        title: `run ${what.status}${what.reason ? `: ${what.reason}` : ""}`,
        tag: what.late ? "late" : "",
        tone: what.status === "dispatched" ? "good" : what.status === "errored" ? "bad" : "end",
      };
    case "attempt":
      return { title: `handler called, attempt ${number(what.attempt)}`, tag: "", tone: "delivery" };
    case "retry":
      return {
        title: `attempt ${number(what.attempt)} failed: ${what.error}; again in ${span(what.delayMs)}`,
        tag: "retry",
        tone: "warn",
      };
    case "delivered":
      return { title: `delivered after ${counted(what.attempt, "attempt")}`, tag: "", tone: "good" };
    case "dead":
      return {
        title: `gave up after ${counted(what.attempt, "attempt")}: ${what.error}`,
        tag: "dead letter",
        tone: "bad",
      };
  }
}

const effectTags = {
  taken: "",
  duplicate: "duplicate",
  "after-end": "after the end",
  "unknown-state": "unknown state",
};

/** @param {Extract<TimelineEntry["what"], { kind: "event" }>} event */
function describedEvent({ state, seq, effect, chars, gained, replaced, recovered, text }) {
  const place = seq === undefined ? "" : ` · seq ${seq}`;
  const change = gained === undefined ? "" : ` ${gained < 0 ? "−" : "+"}${number(Math.abs(gained))}`;
  const grown = chars === undefined ? "" : ` ·${change} → ${counted(chars, "character")}`;
  const tags = [effectTags[effect], replaced ? "replaced" : "", recovered ? "recovered" : ""];
  return {
    title: `${state}${place}${grown}`,
    tag: tags.filter((word) => word !== "").join(", "),
    tone: effect === "taken" ? "plain" : "warn",
    text: effect === "taken" ? text : undefined,
  };
}
