import { inspect } from "node:util";

export type Style = "bold" | "dim" | "cyan";

/** Adds a style to a text, if colours are wanted. */
export type Paint = (style: Style, text: string) => string;

/** Where the command line writes. */
export interface Terminal {
  /** The width of a line, in characters. */
  readonly columns: number;
  /** Styles for text that goes to `print`. */
  readonly paint: Paint;
  /** Whether stderr is a terminal. Only then there is a status line, and the log is formatted for people. */
  readonly interactive: boolean;
  /** Whether stderr shows colours. */
  readonly colorful: boolean;
  /** Writes lines to stdout. Resolves when the system has accepted them, so a slow reader slows the command down. */
  print(lines: string): Promise<void>;
  /** Writes lines to stderr. */
  note(lines: string): void;
  /** Shows a line on stderr until the next line or output replaces it. Does nothing when stderr is not a terminal. */
  status(line: string): void;
}

/** The streams of a {@link Terminal}. `process` fits. */
export interface Streams {
  readonly stdout: NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Some terminals give no width, or 0. */
const USUAL_WIDTH = 80;

const ERASE_LINE = "\r\u001b[K";

/** Creates a {@link Terminal}. Colours need a terminal, and neither `NO_COLOR` nor `TERM=dumb`. */
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
