import { describe, expect, it } from "vitest";
import { createLogger } from "../../src/cli/logger.ts";
import { prettyLine } from "../../src/cli/pretty-line.ts";
import { createTerminal } from "../../src/cli/terminal.ts";
import { wrap } from "../../src/cli/wrap.ts";
import { keptStreams } from "./streams.ts";

const escapeCode = "\u001b";

describe("a terminal", () => {
  it.each([
    ["a terminal", true, {}, true],
    ["a terminal with NO_COLOR", true, { NO_COLOR: "1" }, false],
    ["a terminal with an empty NO_COLOR", true, { NO_COLOR: "" }, true],
    ["a terminal that can do nothing", true, { TERM: "dumb" }, false],
    ["a pipe", false, {}, false],
  ] as const)("has colours on %s (TTY: %s, environment: %o): %s", (_name, isTTY, env, colours) => {
    const { paint } = createTerminal(keptStreams(isTTY, env));
    expect(paint("bold", "text").includes(escapeCode)).toBe(colours);
    expect(paint("bold", "text")).toContain("text");
  });

  it("replaces its status line", async () => {
    const streams = keptStreams(true);
    const terminal = createTerminal(streams);
    terminal.status("1 frame");
    terminal.status("2 frames");
    await terminal.print("a message");
    terminal.note("a note");
    expect(streams.written.stderr).toBe(`1 frame\r${escapeCode}[K2 frames\r${escapeCode}[Ka note\n`);
    expect(streams.written.stdout).toBe("a message\n");
  });

  it("shows a status line only on a terminal", () => {
    const streams = keptStreams(false);
    createTerminal(streams).status("1 frame");
    expect(streams.written.stderr).toBe("");
  });
});

describe("the log", () => {
  it("is pretty on a terminal and JSON elsewhere", () => {
    const [terminal, plain, pipe] = [keptStreams(true), keptStreams(true, { NO_COLOR: "1" }), keptStreams(false)];
    for (const streams of [terminal, plain, pipe]) {
      const logger = createLogger(createTerminal(streams), "INFO", "warn", "--log-level");
      logger.info({ runId: "r1" }, "message dispatched");
      logger.debug({}, "too low");
    }
    expect(terminal.written.stderr).toContain(escapeCode);
    expect(plain.written.stderr).toMatch(/^\[.*\] INFO: message dispatched \{"runId":"r1"\}\n$/);
    expect(JSON.parse(pipe.written.stderr)).toMatchObject({ level: 30, runId: "r1", msg: "message dispatched" });
  });
});

describe("a line of the log for people", () => {
  const line = (fields: object) => JSON.stringify({ level: 40, time: 0, pid: 1, hostname: "h", ...fields });

  it("has an error's stack on separate lines", () => {
    const err = { type: "Error", message: "boom", stack: "Error: boom\n    at here" };
    expect(prettyLine(line({ err, a: 1, msg: "failed" }), false)).toMatch(
      /^\[[\d:.]{12}\] WARN: failed \{"a":1\} \n {4}Error: boom\n {8}at here$/,
    );
  });

  it("has a level without a name or a line without a message", () => {
    expect(prettyLine(line({ level: 35 }), true)).toContain("35");
  });
});

describe("wrap", () => {
  it("breaks between words and within a word longer than a line", () => {
    expect(wrap("one two three", 7)).toEqual(["one two", "three"]);
    expect(wrap("abcdefgh ij", 3)).toEqual(["abc", "def", "gh", "ij"]);
    expect(wrap("🦞🦞🦞", 5)).toEqual(["🦞🦞", "🦞"]);
    expect(wrap("a\n\n b", 5)).toEqual(["a", "", " b"]);
    expect(wrap("  - one two", 8)).toEqual(["  - one", "  two"]);
  });

  it("says how long a text is that it cuts", () => {
    expect(wrap("one two three", 5, 2)).toEqual(["one", "two", "… (13 characters)"]);
    expect(wrap("one two", 5, 2)).toEqual(["one", "two"]);
    expect(wrap("x ".repeat(1_000_000).trim(), 10, 1)).toEqual(["x x x x x", "… (1,999,999 characters)"]);
  });
});
