import { inspect } from "node:util";

/** The styles in use. */
export type Style = "bold" | "dim" | "cyan";

/** Puts a style on a text, where colours are wanted. */
export type Paint = (style: Style, text: string) => string;

/** Where the CLI writes. */
export interface Terminal {
  /** Width of a line, in characters. */
  readonly columns: number;
  /** For what goes to `print`. */
  readonly paint: Paint;
  /** Whether stderr is a terminal: only then is there a status line, and are logs made pretty. */
  readonly interactive: boolean;
  /** Whether stderr takes colours. */
  readonly colorful: boolean;
  /** Writes lines to stdout; resolves when the system has taken them, so that a slow reader slows us down. */
  print(lines: string): Promise<void>;
  /** Writes lines to stderr. */
  note(lines: string): void;
  /** Shows a line on stderr until the next line or output replaces it. Does nothing when stderr is no terminal. */
  status(line: string): void;
}

/** What a {@link Terminal} is made of; `process` fits. */
export interface Streams {
  readonly stdout: NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Some terminals do not say how wide they are, or say 0. */
const USUAL_WIDTH = 80;

const ERASE_LINE = "\r\u001b[K";

/** A {@link Terminal}. Colours only on a terminal, and neither with `NO_COLOR` nor with `TERM=dumb`. */
export function createTerminal({ stdout, stderr, env }: Streams): Terminal {
  const colorsWanted = (env["NO_COLOR"] ?? "") === "" && env["TERM"] !== "dumb";
  const outColorful = colorsWanted && stdout.isTTY === true;
  const interactive = stderr.isTTY === true && env["TERM"] !== "dumb";
  let status = "";

  function eraseStatus(): void {
    if (status !== "") stderr.write(ERASE_LINE);
    status = "";
  }

  return {
    columns: widthOf(stdout),
    paint(style, text) {
      const [on, off] = inspect.colors[style] ?? [0, 0];
      return outColorful ? `\u001b[${on}m${text}\u001b[${off}m` : text;
    },
    interactive,
    colorful: colorsWanted && stderr.isTTY === true,
    print(lines) {
      eraseStatus();
      return new Promise((resolve, reject) => {
        stdout.write(`${lines}\n`, (error) => (error ? reject(error) : resolve()));
      });
    },
    note(lines) {
      eraseStatus();
      stderr.write(`${lines}\n`);
    },
    status(line) {
      if (!interactive || line === status) return;
      eraseStatus();
      status = line.slice(0, widthOf(stderr) - 1);
      stderr.write(status);
    },
  };
}

function widthOf({ columns }: { readonly columns?: number }): number {
  return Math.max(columns || USUAL_WIDTH, 20);
}
