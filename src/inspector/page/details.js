import { byId, element, setText } from "./dom.js";
import { counted, number, span } from "./format.js";

/** @import {RunDetails, TimelineEntry} from "../wire.ts" */

/** How often an open run is asked for anew, in ms. */
const PAUSE_MS = 500;

/** The dialog that shows one run. */
export function createDetails() {
  const dialog = /** @type {HTMLDialogElement} */ (byId("details"));
  let shown = 0;
  let signature = "";
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  async function refresh() {
    const id = shown;
    try {
      const response = await fetch(`run?number=${id}`);
      if (id !== shown || !dialog.open) return;
      if (response.ok) {
        /** @type {RunDetails} */
        const details = await response.json();
        const next = JSON.stringify(details);
        if (next !== signature) show(details);
        signature = next;
      } else {
        setText(byId("details-title"), "This run is no longer remembered.");
      }
    } catch {
      // The server is away; the page says so at its top, and asks again.
    }
    timer = setTimeout(refresh, PAUSE_MS);
  }

  dialog.addEventListener("close", () => clearTimeout(timer));
  byId("details-close").addEventListener("click", () => dialog.close());
  // A click beside the dialog is one on the dialog itself: everything in it lies in children.
  dialog.addEventListener("click", ({ target }) => {
    if (target === dialog) dialog.close();
  });

  return {
    /** @param {number} id */
    open(id) {
      shown = id;
      signature = "";
      clearTimeout(timer);
      byId("details-timeline").replaceChildren();
      byId("details-facts").replaceChildren();
      setText(byId("details-title"), "…");
      dialog.showModal();
      void refresh();
    },
  };
}

/** @param {RunDetails} details */
function show({ run, entries, dropped, droppedAfter, text }) {
  setText(byId("details-title"), run.sessionKey ?? run.runId);
  const ended = "settledAt" in run ? run : undefined;
  const facts = [
    ["Run", run.runId],
    ["Gateway", run.gateway],
    ["Owner", run.owner ?? ""],
    ["State", ended === undefined ? "buffering" : `${ended.status}${ended.reason ? `: ${ended.reason}` : ""}`],
    ["Delivery", ended?.delivery ?? ""],
    ["Text", counted(run.chars, "character")],
    ["Deltas", number(run.deltas)],
  ];
  byId("details-facts").replaceChildren(
    ...facts
      .filter(([, value]) => value !== "")
      .map(([name = "", value = ""]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))),
  );
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
  byId("details-timeline").replaceChildren(...lines);
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
