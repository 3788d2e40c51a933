import { readFileSync } from "node:fs";

/** A file of the page. */
export interface Asset {
  readonly type: string;
  readonly body: Buffer;
}

const types: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  json: "application/json; charset=utf-8",
  svg: "image/svg+xml",
};

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
  "dom.js",
  "format.js",
  "stream.js",
  "machine.js",
  "plots.js",
  "lists.js",
  "rows.js",
  "details.js",
];

/** The files of the page that shows Stately's inspector. */
export const statelyFiles = ["stately.html", "stately.css", "stately.js"];

/** Files of a page by name, read into memory; nothing else is ever served from the disk. */
export function readAssets(names: readonly string[]): ReadonlyMap<string, Asset> {
  return new Map(
    names.map((name) => {
      const body = readFileSync(new URL(`./page/${name}`, import.meta.url));
      return [name, { type: types[name.split(".").at(-1) ?? ""] ?? "application/octet-stream", body }];
    }),
  );
}
