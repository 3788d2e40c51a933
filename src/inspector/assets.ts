import { readFileSync } from "node:fs";
import { type Route, reply } from "./routes.ts";

const types = new Map([
  ["html", "text/html; charset=utf-8"],
  ["css", "text/css; charset=utf-8"],
  ["js", "text/javascript; charset=utf-8"],
  ["json", "application/json; charset=utf-8"],
  ["svg", "image/svg+xml"],
]);

/** The files of the inspector's page. */
export const inspectorFiles = [
  "index.html",
  "icon.svg",
  "style.css",
  "machines.css",
  "plots.css",
  "lists.css",
  "details.css",
  "drawings.json",
  "main.js",
  "address.js",
  "aloud.js",
  "banners.js",
  "copy.js",
  "dom.js",
  "filter.js",
  "folds.js",
  "format.js",
  "stream.js",
  "letters.js",
  "machine.js",
  "plots.js",
  "lists.js",
  "rows.js",
  "session.js",
  "times.js",
  "details.js",
];

/** The files of the page with Stately's inspector. */
export const statelyFiles = ["stately.html", "stately.css", "stately.js"];

/** The files of a page, read into memory. Nothing else on the disk is served. The first file is the page itself. */
export function assetRoutes(names: readonly string[]): [string, Route][] {
  return names.map((name, index) => {
    const body = readFileSync(new URL(`./page/${name}`, import.meta.url));
    const type = types.get(name.split(".").at(-1) ?? "") ?? "application/octet-stream";
    return [index === 0 ? "" : name, { answer: ({ response }) => reply(response, 200, body, type) }];
  });
}
