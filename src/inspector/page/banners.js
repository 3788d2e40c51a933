import { byId, element, setText } from "./dom.js";
import { number, span } from "./format.js";
import { keyedRows } from "./rows.js";
import { timeOf } from "./times.js";

/** @import {Update} from "../wire.ts" */

/** @typedef {{ key: string, tone: "bad" | "warn", title: string, text: string }} Banner */

/** Problems that keep messages from arriving. They are shown at the top until they are over. */
export function createBanners() {
  const show = keyedRows(
    byId("banners"),
    (/** @type {Banner} */ { key }) => key,
    () => {
      const title = element("strong");
      const text = element("span");
      const node = element("p", { class: "banner" }, title, " ", text);
      return {
        node,
        /** @param {Banner} banner */
        update(banner) {
          node.dataset["tone"] = banner.tone;
          setText(title, banner.title);
          setText(text, banner.text);
        },
      };
    },
  );
  return (/** @type {Update} */ update) => show([...ofLedger(update), ...ofJobs(update), ...ofLinks(update)]);
}

/**
 * @param {Update} update
 * @returns {Banner[]}
 */
function ofLedger({ stats }) {
  if (stats.unsafe === 0) return [];
  const text = "Messages are delivered from memory. They are lost if the process dies. The log says why.";
  return [{ key: "ledger", tone: "bad", title: "The ledger cannot be written.", text }];
}

/**
 * @param {Update} update
 * @returns {Banner[]}
 */
function ofJobs({ stats }) {
  const { silentJobs } = stats;
  if (silentJobs === 0) return [];
  const title = silentJobs === 1 ? "A cron job is silent." : `${number(silentJobs)} cron jobs are silent.`;
  const text = "They were due and said nothing. The log and `alarms$` say which.";
  return [{ key: "jobs", tone: "warn", title, text }];
}

const states = {
  offline: "is offline",
  connecting: "is connecting",
  recovering: "is catching up",
  paused: "is paused until a person fixes it",
};

/**
 * @param {Update} update
 * @returns {Banner[]}
 */
function ofLinks({ links, at }) {
  return links.flatMap(({ gateway, owner, state, since, reason, ended }) => {
    if (state === "live" || ended) return [];
    const name = owner === undefined ? gateway : `${gateway} (${owner})`;
    return {
      key: `link ${gateway} ${owner ?? ""}`,
      tone: state === "recovering" || state === "connecting" ? "warn" : "bad",
      title: `The link to ${name} ${states[state]}.`,
      text: `Since ${timeOf(since, at)} (${span(at - since)}). ${reason ?? ""}`.trim(),
    };
  });
}
