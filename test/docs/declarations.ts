import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../../", import.meta.url));

/** A name that a module exports, and where it is declared. */
export interface Exported {
  readonly name: string;
  readonly isType: boolean;
  /** Undefined where it is no type of ours to look into: a function or a value. */
  readonly declaration: Declaration | undefined;
}

/** An interface, class or type alias, as it is written. */
export interface Declaration {
  readonly kind: "interface" | "class" | "type";
  readonly text: string;
  /** What an interface or class declares itself; empty for an alias. */
  readonly members: readonly Member[];
}

/** One property or method. */
export interface Member {
  readonly name: string;
  /** Its doc comment; empty without one. */
  readonly doc: string;
}

interface Place {
  readonly name: string;
  readonly local: string;
  readonly isType: boolean;
  readonly file: string;
}

/** What the module in `file` (from the root) exports. The modules of this package name every export, none by `*`. */
export function exportsOf(file: string): readonly Exported[] {
  return [...named(file), ...declared(file)].map(({ name, local, isType, file: home }) => ({
    name,
    isType,
    declaration: declarationOf(home, local),
  }));
}

/** The declaration of a type somewhere in `src`, exported by the package or not. */
export function declarationIn(folder: string, name: string): Declaration | undefined {
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true, recursive: true })) {
    if (!entry.name.endsWith(".ts")) continue;
    const found = declarationOf(relative(root, join(entry.parentPath, entry.name)), name);
    if (found !== undefined) return found;
  }
  return undefined;
}

function named(file: string): readonly Place[] {
  const lists = read(file).matchAll(/^export (type )?\{([^}]*)\} from "([^"]+)";/gm);
  return Array.from(lists, ([, type = "", list = "", from = ""]) => {
    const home = join(dirname(file), from);
    return list.split(",").flatMap((item) => {
      const [, own, local, name] = /^(type )?(\w+)(?: as (\w+))?$/.exec(item.trim()) ?? [];
      return local === undefined
        ? []
        : [{ name: name ?? local, local, isType: type !== "" || own !== undefined, file: home }];
    });
  }).flat();
}

function declared(file: string): readonly Place[] {
  const found = read(file).matchAll(/^export (?:async )?(interface|type|class|function|const) (\w+)/gm);
  return Array.from(found, ([, word = "", name = ""]) => {
    return { name, local: name, isType: word === "interface" || word === "type", file };
  });
}

function read(file: string): string {
  return readFileSync(join(root, file), "utf8");
}

function declarationOf(file: string, name: string): Declaration | undefined {
  const source = read(file);
  const found = new RegExp(`^(?:export )?(interface|class|type) ${name}\\b`, "m").exec(source);
  if (found === null) return undefined;
  const kind = found[1] as Declaration["kind"];
  const rest = source.slice(found.index);
  if (kind === "type") return { kind, text: withoutComments(rest.slice(0, endOf(rest, ";"))), members: [] };
  // Past the type parameters and `extends`, which hold no braces but in `Omit<...>` of names.
  const body = rest.slice(rest.indexOf("{\n") + 1);
  const text = body.slice(0, endOf(body, "}"));
  return { kind, text: withoutComments(text), members: membersOf(text) };
}

/** Where `end` stands outside all brackets. Comments count as text: theirs are balanced. */
function endOf(text: string, end: string): number {
  const code = text.replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$|"[^"\n]*"|=>/gm, (match) => " ".repeat(match.length));
  let depth = 0;
  for (let at = 0; at < code.length; at += 1) {
    const char = code[at] as string;
    if (char === end && depth === 0) return at;
    if ("({[<".includes(char)) depth += 1;
    if (")}]>".includes(char)) depth -= 1;
  }
  return code.length;
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "");
}

/** Members stand at the first level of indentation: the formatter sees to it. */
function membersOf(body: string): readonly Member[] {
  const lines = body.matchAll(
    /((?:^ {2}\/\*\*(?:(?!\*\/)[\s\S])*\*\/\n)?)^ {2}(?:override |readonly )*(\w+\$?)\??(?:[:(<]| =)/gm,
  );
  return Array.from(lines, ([, doc = "", name = ""]) => ({ name, doc })).filter(({ name }) => name !== "constructor");
}
