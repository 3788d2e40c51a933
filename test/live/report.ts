import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Result } from "./play.ts";

const PAGE = fileURLToPath(new URL("../../docs/gateway-versions.md", import.meta.url));
const [BEGIN, END] = ["<!-- made by npm run test:matrix -->", "<!-- until here -->"] as const;

/** Puts a table of the results, a row a scenario and a column a release, into the page on versions. */
export async function writeReport(results: ReadonlyMap<string, readonly Result[]>): Promise<void> {
  const page = await readFile(PAGE, "utf8");
  const [start, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (start < 0 || end < start) throw new Error(`${PAGE} has no place for the table: ${BEGIN} ... ${END}`);
  await writeFile(PAGE, `${page.slice(0, start)}${BEGIN}\n\n${table(results)}\n${page.slice(end)}`);
}

/** The table in Markdown, with the reasons of what is missing below it. */
function table(results: ReadonlyMap<string, readonly Result[]>): string {
  const versions = [...results.keys()];
  const names = [...new Set([...results.values()].flat().map(({ name }) => name))];
  const reasons: string[] = [];
  const note = (reason: string): number => {
    if (!reasons.includes(reason)) reasons.push(reason);
    return reasons.indexOf(reason) + 1;
  };
  const cell = (result: Result | undefined): string => {
    if (result === undefined) return " ";
    if (result.status === "ok" || result.status === "closed") return "yes";
    return result.status === "gap" ? `- ${note(result.reason ?? "")}` : "**fails**";
  };
  const rows = names.map((name) => {
    const cells = versions.map((version) => cell(results.get(version)?.find((result) => result.name === name)));
    return `| ${name} | ${cells.join(" | ")} |`;
  });
  return [
    `| | ${versions.join(" | ")} |`,
    `|---|${versions.map(() => "---|").join("")}`,
    ...rows,
    "",
    ...reasons.map((reason, index) => `${index + 1}. ${reason}`),
  ]
    .join("\n")
    .concat("\n");
}
