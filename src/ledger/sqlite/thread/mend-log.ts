/** What was wrong with a write-ahead log. */
export interface LogDamage {
  /** How many flipped bits were found and flipped back. */
  readonly mended: number;
  /** How many pages are damaged in another way; they stay as they are, for a check of the file to find. */
  readonly damaged: number;
  /** Puts the mended log in its place. Nobody may have the ledger open. */
  save(): void;
}

/**
 * Looks for damage in the write-ahead log that a crash has left; undefined where all is well. SQLite ends its reading at the
 * first checksum that does not fit, and drops without a word all that was committed after it. Here the checksum tells which bit was
 * flipped, for three of four bits. Another page is taken as it is where it is one bit that was flipped, or where later commits
 * follow: they were written when it was on disk. What was not committed in full is left out, as SQLite does. Runs in the ledger's thread from its source text, like all of it.
 *
 * The format: https://sqlite.org/fileformat2.html#the_write_ahead_log
 */
export function mendLog(file: string): LogDamage | undefined {
  const fs = process.getBuiltinModule("node:fs");
  const { endianness } = process.getBuiltinModule("node:os");
  const HEADER = 32;
  const FRAME = 24;
  /** Larger ones are left to SQLite. */
  const MAX_BYTES = 268_435_456;
  const stats = fs.statSync(file, { throwIfNoEntry: false });
  // What is no file, or may not be read, SQLite will name.
  if (stats?.isFile() !== true || stats.size > MAX_BYTES || endianness() !== "LE") return undefined;
  let bytes: Buffer;
  try {
    bytes = Buffer.from(new Uint8Array(fs.readFileSync(file)).buffer);
  } catch {
    return undefined;
  }
  const size = bytes.length;
  if (size < HEADER + FRAME + 512) return undefined;
  const words = new Uint32Array(bytes.buffer, 0, bytes.length >> 2);
  const log = {
    pageSize: 4_096,
    salts: "",

    /** Where a frame begins. */
    at(frame: number): number {
      return HEADER + frame * (FRAME + log.pageSize);
    },

    sumsAt(at: number): [number, number] {
      return [bytes.readUInt32BE(at), bytes.readUInt32BE(at + 4)];
    },

    saltsAt(at: number): string {
      return bytes.toString("hex", at, at + 8);
    },

    write(at: number, [a, b]: readonly [number, number]): void {
      bytes.writeUInt32BE(a, at);
      bytes.writeUInt32BE(b, at + 4);
    },

    /** The words that the checksum of a frame is of; of the header, those of `frame` -1. */
    stretches(frame: number): readonly (readonly [from: number, to: number])[] {
      if (frame < 0) return [[0, 6]];
      const from = log.at(frame) >> 2;
      return [
        [from, from + 2],
        [from + 6, from + 6 + (log.pageSize >> 2)],
      ];
    },

    sums(start: readonly [number, number], frame: number): [number, number] {
      let [a, b] = start;
      for (const [from, to] of log.stretches(frame))
        for (let at = from; at < to; at += 2) {
          a = (a + (words[at] as number) + b) >>> 0;
          b = (b + (words[at + 1] as number) + a) >>> 0;
        }
      return [a, b];
    },

    isSame(one: readonly [number, number], other: readonly [number, number]): boolean {
      return one[0] === other[0] && one[1] === other[1];
    },

    isOneBitApart(one: readonly [number, number], other: readonly [number, number]): boolean {
      const [a, b] = [(one[0] ^ other[0]) >>> 0, (one[1] ^ other[1]) >>> 0];
      return (a === 0 || b === 0) && Number.isInteger(Math.log2(a + b));
    },

    /** The bits of a frame of which each alone, flipped, would make its sums those that are written. */
    bitsOf(frame: number, found: readonly [number, number], written: readonly [number, number]) {
      const a = (written[0] - found[0]) >>> 0;
      const b = (written[1] - found[1]) >>> 0;
      const bits: (readonly [word: number, mask: number])[] = [];
      // By how much each 1 that is added to the first or the second word of a pair changes the sums.
      let first = [1, 1] as [number, number];
      let second = [0, 1] as [number, number];
      for (const [from, to] of [...log.stretches(frame)].reverse())
        for (let pair = to - 2; pair >= from; pair -= 2) {
          for (let bit = 0; bit < 64; bit += 1) {
            const [at, by] = bit < 32 ? [pair, first] : [pair + 1, second];
            const mask = 1 << (bit & 31);
            const step = ((words[at] as number) & mask) === 0 ? mask : -mask;
            if (Math.imul(by[0], step) >>> 0 === a && Math.imul(by[1], step) >>> 0 === b) bits.push([at, mask]);
          }
          first = [(first[0] + first[1]) >>> 0, (first[0] + 2 * first[1]) >>> 0];
          second = [(second[0] + second[1]) >>> 0, (second[0] + 2 * second[1]) >>> 0];
        }
      return bits;
    },

    /** Mends the one flipped bit of a frame, in it or in its checksum, at `at`. "unclear": it is one of several. */
    mend(
      frame: number,
      frames: number,
      start: readonly [number, number],
      at: number,
    ): "mended" | "unclear" | undefined {
      const found = log.sums(start, frame);
      const written = log.sumsAt(at);
      const isOfSums = log.isOneBitApart(found, written);
      const bits = log.bitsOf(frame, found, written);
      // The frame after it was summed on from the right one.
      const isProven = frame + 1 < frames && log.isSame(log.sums(found, frame + 1), log.sumsAt(log.at(frame + 1) + 16));
      if (isOfSums && (isProven || bits.length === 0)) {
        log.write(at, found);
        return "mended";
      }
      const [bit] = bits;
      if (bit === undefined) return undefined;
      if (isOfSums || bits.length > 1) return "unclear";
      words[bit[0]] = ((words[bit[0]] as number) ^ bit[1]) >>> 0;
      return "mended";
    },

    /** What two of three are. */
    agreed(texts: readonly string[]): string {
      return texts.find((text, index) => texts.indexOf(text, index + 1) > 0) ?? (texts[0] as string);
    },

    /** A page that cannot be placed gives way to a copy of the frame before it, or of the one after the first. */
    replace(frame: number): void {
      const from = log.at(frame === 0 ? 1 : frame - 1);
      bytes.copyWithin(log.at(frame), from, from + FRAME + log.pageSize);
    },
  };

  const given = bytes.readUInt32BE(8);
  if (given >= 512 && given <= 65_536 && (given & (given - 1)) === 0) log.pageSize = given;
  const frames = Math.floor((size - HEADER) / (FRAME + log.pageSize));
  if (frames === 0) return undefined;
  let mended = 0;
  if (!log.isSame(log.sums([0, 0], -1), log.sumsAt(24))) {
    log.mend(-1, frames, [0, 0], 24);
    mended += 1;
  }
  log.salts = log.agreed([16, log.at(0) + 8, log.at(Math.min(1, frames - 1)) + 8].map((at) => log.saltsAt(at)));

  let end = 0;
  let pages = 0;
  const unsure: number[] = [];
  const unclear: number[] = [];
  let taken = 0;
  /** Since `end`. */
  let commits = 0;
  let found = 0;
  let isSure = true;
  let sums = log.sumsAt(24);
  for (let frame = 0; frame < frames; frame += 1) {
    const at = log.at(frame);
    const hasSalts = log.saltsAt(at + 8) === log.salts;
    const isWhole = log.isSame(log.sums(sums, frame), log.sumsAt(at + 16));
    const mend: "mended" | "unclear" | undefined =
      !isWhole && isSure && hasSalts ? log.mend(frame, frames, sums, at + 16) : undefined;
    isSure = mend !== undefined || (isWhole && (isSure || hasSalts));
    if (isSure && !hasSalts) bytes.write(log.salts, at + 8, "hex");
    if (mend === "unclear") unclear.push(frame);
    else if (isSure && (mend === "mended" || !hasSalts)) found += 1;
    if (!isSure) unsure.push(frame);
    sums = log.sumsAt(at + 16);
    const pagesNow = isSure || hasSalts ? bytes.readUInt32BE(at + 4) : 0;
    if (pagesNow === 0) continue;
    commits += 1;
    // With damage in the last commit it cannot be told whether it was written in full.
    if (!isSure || (unsure.length > taken && commits < 2)) continue;
    end = frame + 1;
    pages = Math.max(pages, pagesNow);
    mended += found;
    taken = unsure.length;
    found = 0;
    commits = 0;
  }
  const damaged = taken + unclear.filter((frame) => frame < end).length;
  if (end === 0 || mended + damaged === 0) return undefined;
  return {
    mended,
    damaged,
    save(): void {
      for (const frame of unsure.slice(0, taken)) {
        const page = bytes.readUInt32BE(log.at(frame));
        if (page === 0 || page > pages) log.replace(frame);
        // It goes with the next commit.
        bytes.writeUInt32BE(0, log.at(frame) + 4);
      }
      for (const [at, value] of [0x377f0682, 3_007_000, log.pageSize].entries()) bytes.writeUInt32BE(value, at * 4);
      bytes.write(log.salts, 16, "hex");
      let last = log.sums([0, 0], -1);
      log.write(24, last);
      for (let frame = 0; frame < end; frame += 1) {
        bytes.write(log.salts, log.at(frame) + 8, "hex");
        last = log.sums(last, frame);
        log.write(log.at(frame) + 16, last);
      }
      const temporary = `${file}-new`;
      const fd = fs.openSync(temporary, "w", 0o600);
      fs.writeSync(fd, bytes, 0, log.at(end));
      fs.fsyncSync(fd);
      fs.closeSync(fd);
      fs.renameSync(temporary, file);
    },
  };
}
