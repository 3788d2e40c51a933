// Rewrites the drawings in docs/machines.md from the machines themselves; with --check, fails when they are stale.
import { readFileSync, writeFileSync } from "node:fs";
import { toDirectedGraph } from "xstate/graph";
import { deliveryMachine, linkMachine, runMachine } from "../machines/index.ts";

const machines = { run: runMachine, delivery: deliveryMachine, link: linkMachine };
const page = new URL("../docs/machines.md", import.meta.url);

type Graph = ReturnType<typeof toDirectedGraph>;

/** A machine as a Mermaid state diagram, and a table of what its states mean. */
function draw(machine: (typeof machines)[keyof typeof machines]): string {
  const graph = toDirectedGraph(machine as never);
  const states = graph.children.map(({ stateNode }) => stateNode);
  const initial = graph.stateNode.initial.target[0]?.key;
  const edges = [graph, ...graph.children].flatMap(({ edges }) => edges.flatMap(arrows(graph)));
  return [
    "",
    "```mermaid",
    "stateDiagram-v2",
    "  direction LR",
    `  [*] --> ${initial}`,
    ...[...new Set(edges)].map((edge) => `  ${edge}`),
    ...states.filter(({ type }) => type === "final").map(({ key }) => `  ${key} --> [*]`),
    "```",
    "",
    "| state | meaning |",
    "|---|---|",
    ...states.map(({ key, description }) => `| \`${key}\` | ${description} |`),
    "",
    "| from | event | to | when |",
    "|---|---|---|---|",
    ...[graph, ...graph.children].flatMap(({ edges }) => edges.map(row(graph))),
    "",
  ].join("\n");
}

function eventOf(edge: Graph["edges"][number]): string {
  const after = /^xstate\.after\.([^.]+)\./.exec(edge.label.text);
  return after ? `after ${after[1]}` : edge.label.text;
}

const guardOf = (edge: Graph["edges"][number]) =>
  typeof edge.transition.guard === "string" ? ` [${edge.transition.guard}]` : "";

/** A transition of the machine itself starts from each of its states. */
const arrows = (graph: Graph) => (edge: Graph["edges"][number]) => {
  const sources = edge.source === graph.stateNode ? graph.children.map(({ stateNode }) => stateNode) : [edge.source];
  return sources.map(({ key }) => `${key} --> ${edge.target.key}: ${eventOf(edge)}${guardOf(edge)}`);
};

const row = (graph: Graph) => (edge: Graph["edges"][number]) => {
  const from = edge.source === graph.stateNode ? "any" : `\`${edge.source.key}\``;
  return `| ${from} | \`${eventOf(edge)}\`${guardOf(edge)} | \`${edge.target.key}\` | ${edge.transition.description ?? ""} |`;
};

const before = readFileSync(page, "utf8");
let after = before;
for (const [name, machine] of Object.entries(machines)) {
  const [head, rest] = cut(after, `<!-- ${name}: made by npm run docs:machines -->\n`);
  const [, tail] = cut(rest, "\n<!-- end -->");
  after = `${head}${draw(machine)}${tail}`;
}
if (!process.argv.includes("--check")) writeFileSync(page, after);
else if (after !== before) {
  console.error("docs/machines.md is stale: run `npm run docs:machines` and commit it.");
  process.exitCode = 1;
} else console.log("docs/machines.md shows the machines as they are.");

/** The page in two: a mark that opens a section stays in the first part, one that ends it in the second. */
function cut(text: string, mark: string): [string, string] {
  const at = text.indexOf(mark);
  if (at < 0) throw new Error(`docs/machines.md lacks the line ${mark.trim()}`);
  const end = mark.startsWith("\n") ? at : at + mark.length;
  return [text.slice(0, end), text.slice(end)];
}
