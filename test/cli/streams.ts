import { Writable } from "node:stream";
import type { Streams } from "../../src/cli/terminal.ts";

/** Streams that keep what is written to them. */
export interface KeptStreams extends Streams {
  readonly written: { stdout: string; stderr: string };
}

/** Streams in memory; terminals when `isTTY`. */
export function keptStreams(isTTY: boolean, env: Readonly<Record<string, string>> = {}): KeptStreams {
  const written = { stdout: "", stderr: "" };
  const keep = (name: keyof typeof written) =>
    Object.assign(
      new Writable({
        decodeStrings: false,
        write(piece, _encoding, done) {
          written[name] += String(piece);
          done();
        },
      }),
      { isTTY, columns: 40 },
    );
  return { stdout: keep("stdout"), stderr: keep("stderr"), env, written };
}
