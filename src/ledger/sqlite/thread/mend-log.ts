/** The damage in a write-ahead log. */
export interface LogDamage {
  /** How many flipped bits were found and corrected. */
  readonly mended: number;
  /** How many pages are damaged in another way. They stay unchanged, and a check of the file finds them. */
  readonly damaged: number;
  /** Replaces the log by the corrected one. No process may have the ledger open. */
  save(): void;
}

/**
 * Looks for damage in the write-ahead log that a crash has left; undefined when there is none. SQLite stops reading at
 * the first wrong checksum, and silently drops every commit after it. Here the checksum shows which bit was flipped, or a
 * few that it may be; then another version of the page decides. Other pages are kept unchanged if one bit was flipped, or
 * if later commits follow, because those were written when the page was on disk. An incomplete commit is left out, as in
 * SQLite. It runs in the ledger's thread from its source text.
 *
 * The format: https://sqlite.org/fileformat2.html#the_write_ahead_log
 */
export function mendLog(file: string): LogDamage | undefined {
  const fs = process.getBuiltinModule("node:fs");
  const { endianness } = process.getBuiltinModule("node:os");
  const HEADER = 32;
  const FRAME = 24;
  /** Larger logs are left to SQLite. */
  const MAX_BYTES = 268_435_456;
  const stats = fs.statSync(file, { throwIfNoEntry: false });
  // SQLite reports a path that is not a file or may not be read.
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

    /** The words that a frame's checksum covers. Frame -1 is the header. */
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

    /** The bits of a frame of which each one, flipped alone, would give the written sums. */
    bitsOf(frame: number, found: readonly [number, number], written: readonly [number, number]) {
      const a = (written[0] - found[0]) >>> 0;
      const b = (written[1] - found[1]) >>> 0;
      const bits: (readonly [word: number, mask: number])[] = [];
      // How much adding 1 to the first or the second word of a pair changes the sums.
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

    /** Those of the bits that, flipped, make their word what it is in the page's version before or after this one. */
    likely(frame: number, frames: number, bits: readonly (readonly [word: number, mask: number])[]) {
      if (frame < 0) return [];
      const page = bytes.readUInt32BE(log.at(frame));
      let before = frame - 1;
      while (before >= 0 && bytes.readUInt32BE(log.at(before)) !== page) before -= 1;
      let after = frame + 1;
      while (after < frames && bytes.readUInt32BE(log.at(after)) !== page) after += 1;
      const others = [before, after]
        .filter((other) => other >= 0 && other < frames)
        .map((other) => (log.at(other) - log.at(frame)) >> 2);
      return bits.filter(([word, mask]) =>
        others.some((by) => words[word + by] === ((words[word] as number) ^ mask) >>> 0),
      );
    },

    /**
     * Corrects the one flipped bit of a frame, in it or in its checksum, at `at`. "unclear": it is one of several bits.
     */
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
      // The checksum of the next frame was computed from the correct one.
      const isProven = frame + 1 < frames && log.isSame(log.sums(found, frame + 1), log.sumsAt(log.at(frame + 1) + 16));
      if (isOfSums && (isProven || bits.length === 0)) {
        log.write(at, found);
        return "mended";
      }
      if (bits.length === 0) return undefined;
      const likely = bits.length === 1 ? bits : log.likely(frame, frames, bits);
      const [bit] = likely;
      if (isOfSums || bit === undefined || likely.length > 1) return "unclear";
      words[bit[0]] = ((words[bit[0]] as number) ^ bit[1]) >>> 0;
      return "mended";
    },

    /** The value that at least two of three have. */
    agreed(texts: readonly string[]): string {
      return texts.find((text, index) => texts.indexOf(text, index + 1) > 0) ?? (texts[0] as string);
    },

    /**
     * Replaces a page that cannot be placed by a copy of the frame before it, or of the second frame if it is the
     * first.
     */
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
  /** Commits since `end`. */
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
    // With damage in the last commit, it is unknown whether it was complete.
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
        // It becomes part of the next commit.
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
