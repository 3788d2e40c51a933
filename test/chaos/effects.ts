import { closeSync, openSync, readdirSync, readFileSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";

/**
 * One line of a handler's file. `start`: it was called. `done`: it had its effect, on a text of this
 * digest. `again`: it was called for what an earlier process had done already, and did nothing.
 */
export interface EffectLine {
  readonly what: "start" | "done" | "again";
  readonly id: string;
  readonly digest: string;
  /** Which came first, over all processes of this machine. */
  readonly at: bigint;
}

/** What one handler did, in a file that is only ever appended to, one line a write: a kill leaves whole lines. */
export interface EffectFile {
  write(what: EffectLine["what"], id: string, digest?: string): void;
  close(): void;
}

const SUFFIX = ".effects";

/** Opens the file of one life of one host. */
export function openEffects(folder: string, life: string): EffectFile {
  const fd = openSync(join(folder, life + SUFFIX), "a");
  return {
    write: (what, id, digest = "-") => void writeSync(fd, `${what} ${id} ${digest} ${process.hrtime.bigint()}\n`),
    close: () => closeSync(fd),
  };
}

/** What each life did, by its name. */
export function readEffects(folder: string): ReadonlyMap<string, readonly EffectLine[]> {
  const lives = readdirSync(folder).filter((name) => name.endsWith(SUFFIX));
  return new Map(
    lives.map((name) => [name.slice(0, -SUFFIX.length), readLines(readFileSync(join(folder, name), "utf8"))]),
  );
}

function readLines(text: string): EffectLine[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [what, id, digest, at] = line.split(" ") as [EffectLine["what"], string, string, string];
      return { what, id, digest, at: BigInt(at) };
    });
}

/** The ids that were done so far, of all lives (but `exceptLife`). Each call reads only what is new. */
export function createDoneIds(folder: string, exceptLife?: string): () => ReadonlySet<string> {
  const done = new Set<string>();
  const files = new Map<string, { readonly fd: number; readonly tail: Tail }>();
  return () => {
    for (const name of readdirSync(folder)) {
      if (!name.endsWith(SUFFIX) || name === exceptLife + SUFFIX || files.has(name)) continue;
      files.set(name, { fd: openSync(join(folder, name), "r"), tail: { at: 0, rest: "" } });
    }
    for (const { fd, tail } of files.values()) {
      for (const { what, id } of readOn(fd, tail)) if (what === "done") done.add(id);
    }
    return done;
  };
}

/** How far a file has been read. */
interface Tail {
  at: number;
  rest: string;
}

const chunk = Buffer.alloc(65_536);

function readOn(fd: number, tail: Tail): EffectLine[] {
  let text = tail.rest;
  for (let bytes = readSync(fd, chunk, 0, chunk.length, tail.at); bytes > 0; ) {
    text += chunk.toString("latin1", 0, bytes);
    tail.at += bytes;
    bytes = readSync(fd, chunk, 0, chunk.length, tail.at);
  }
  const end = text.lastIndexOf("\n") + 1;
  tail.rest = text.slice(end);
  return readLines(text.slice(0, end));
}
