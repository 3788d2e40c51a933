import { readSync } from "node:fs";

/**
 * Reads the pages of an LMDB file without LMDB. LMDB trusts its file: given a damaged one it ends
 * the whole process with a signal, where a caller deserves an error. So the file is looked through
 * before it is opened. The layout is that of liblmdb with data version 2, as `lmdb` builds it.
 */

/** What a look through the file found. */
export type PageReport =
  /** Sound as far as it was read. `root` holds the values of the main table by key, where they are small; `empty`: not even a table. */
  | {
      readonly sound: true;
      readonly txnId: number;
      readonly empty: boolean;
      readonly root: ReadonlyMap<string, Buffer>;
    }
  | { readonly sound: false; readonly problem: "not-lmdb" | "other-version" | "damaged"; readonly txnId: number };

const MAGIC = 0xbeefc0de;
const DATA_VERSION = 2;
const PAGE_HEADER = 24;
/** Where liblmdb 0.9 has its magic: its page header is shorter. */
const OLD_PAGE_HEADER = 16;
const NODE_HEADER = 8;
const NO_PAGE = 0xffff_ffff_ffff_ffffn;
const BRANCH = 0x01;
const LEAF = 0x02;
const OVERFLOW = 0x04;
const META = 0x08;
const BIG_VALUE = 0x01;
const SUB_TABLE = 0x02;

/** So large a file is looked through only so far: 65,536 pages, 256 MiB of the usual 4 KiB. */
const MAX_PAGES = 65_536;

interface Table {
  readonly depth: number;
  readonly root: bigint;
}

interface Meta {
  readonly pageBytes: number;
  readonly lastPage: number;
  readonly txnId: number;
  readonly free: Table;
  readonly main: Table;
}

class Damage extends Error {}

function tableAt(bytes: Buffer, at: number): Table {
  return { depth: bytes.readUInt16LE(at + 6), root: bytes.readBigUInt64LE(at + 40) };
}

function metaOf(bytes: Buffer): Meta {
  return {
    pageBytes: bytes.readUInt32LE(48),
    lastPage: Number(bytes.readBigUInt64LE(144)),
    txnId: Number(bytes.readBigUInt64LE(152)),
    free: tableAt(bytes, 48),
    main: tableAt(bytes, 96),
  };
}

function readAt(fd: number, bytes: Buffer, position: number): boolean {
  return readSync(fd, bytes, 0, bytes.length, position) === bytes.length;
}

function isMeta(bytes: Buffer): boolean {
  return bytes.readUInt16LE(18) === META && bytes.readUInt32LE(PAGE_HEADER) === MAGIC;
}

/** Both descriptions of the file, the newer first; or what is wrong with them. */
function readMetas(fd: number): readonly Meta[] | "not-lmdb" | "other-version" | "damaged" {
  const first = Buffer.alloc(160);
  if (!readAt(fd, first, 0)) return "not-lmdb";
  if (first.readUInt32LE(OLD_PAGE_HEADER) === MAGIC) return "other-version";
  if (!isMeta(first)) return "not-lmdb";
  if (first.readUInt32LE(PAGE_HEADER + 4) !== DATA_VERSION) return "other-version";
  const meta = metaOf(first);
  const second = Buffer.alloc(160);
  const plausible = meta.pageBytes >= 512 && meta.pageBytes <= 65_536 && (meta.pageBytes & (meta.pageBytes - 1)) === 0;
  if (!plausible || !readAt(fd, second, meta.pageBytes) || !isMeta(second)) return "damaged";
  return [meta, metaOf(second)].sort((a, b) => b.txnId - a.txnId);
}

/** One look through all the tables of a file. */
class Walk {
  readonly root = new Map<string, Buffer>();
  private readonly fd: number;
  private readonly meta: Meta;
  private readonly page: Buffer;
  private readonly seen = new Set<number>();
  private readonly waiting: { readonly page: number; readonly depth: number; readonly main: boolean }[] = [];

  constructor(fd: number, meta: Meta) {
    this.fd = fd;
    this.meta = meta;
    this.page = Buffer.alloc(meta.pageBytes);
  }

  /** @throws {Damage} when a page is not what the pages that lead to it say. */
  run(): void {
    this.expect(this.meta.free, false);
    this.expect(this.meta.main, true);
    for (let next = this.waiting.pop(); next !== undefined && this.seen.size < MAX_PAGES; next = this.waiting.pop()) {
      this.visit(next.page, next.depth, next.main);
    }
  }

  private expect(table: Table, main: boolean): void {
    if (table.root === NO_PAGE) return;
    if (table.depth < 1 || table.depth > 32) throw new Damage();
    this.waiting.push({ page: Number(table.root), depth: table.depth, main });
  }

  private load(page: number): void {
    if (page < 2 || page > this.meta.lastPage || this.seen.has(page)) throw new Damage();
    this.seen.add(page);
    if (!readAt(this.fd, this.page, page * this.meta.pageBytes)) throw new Damage();
    if (Number(this.page.readBigUInt64LE(0)) !== page) throw new Damage();
  }

  private visit(page: number, depth: number, main: boolean): void {
    this.load(page);
    const bytes = this.page;
    const kind = bytes.readUInt16LE(18) & (BRANCH | LEAF | OVERFLOW | META);
    if (kind !== (depth === 1 ? LEAF : BRANCH)) throw new Damage();
    // Offsets count from the end of the header.
    const lower = PAGE_HEADER + bytes.readUInt16LE(20);
    const upper = PAGE_HEADER + bytes.readUInt16LE(22);
    if (lower > upper || upper > bytes.length) throw new Damage();
    const big: { readonly page: number; readonly pages: number }[] = [];
    for (let slot = PAGE_HEADER; slot < lower; slot += 2) {
      const node = PAGE_HEADER + bytes.readUInt16LE(slot);
      if (node < upper || node + NODE_HEADER > bytes.length) throw new Damage();
      if (kind === BRANCH) this.branch(node, depth, main);
      else this.leaf(node, main, big);
    }
    for (const value of big) this.bigValue(value.page, value.pages);
  }

  private branch(node: number, depth: number, main: boolean): void {
    const child = this.page.readUInt32LE(node) + this.page.readUInt16LE(node + 4) * 2 ** 32;
    if (node + NODE_HEADER + this.page.readUInt16LE(node + 6) > this.page.length) throw new Damage();
    this.waiting.push({ page: child, depth: depth - 1, main });
  }

  private leaf(node: number, main: boolean, big: { readonly page: number; readonly pages: number }[]): void {
    const bytes = this.page;
    const size = bytes.readUInt32LE(node);
    const flags = bytes.readUInt16LE(node + 4);
    const value = node + NODE_HEADER + bytes.readUInt16LE(node + 6);
    const isBig = (flags & BIG_VALUE) !== 0;
    if (value + (isBig ? PAGE_HEADER : size) > bytes.length) throw new Damage();
    if (isBig) {
      const pages = Number(bytes.readBigUInt64LE(value + 16));
      if (size > pages * bytes.length - PAGE_HEADER) throw new Damage();
      big.push({ page: Number(bytes.readBigUInt64LE(value)), pages });
    } else if (main && (flags & SUB_TABLE) !== 0) {
      if (size !== 48) throw new Damage();
      this.expect(tableAt(bytes, value), false);
    } else if (main) {
      this.root.set(
        bytes.toString("latin1", node + NODE_HEADER, value),
        Buffer.from(bytes.subarray(value, value + size)),
      );
    }
  }

  private bigValue(page: number, pages: number): void {
    this.load(page);
    if ((this.page.readUInt16LE(18) & OVERFLOW) === 0 || page + pages - 1 > this.meta.lastPage) throw new Damage();
    const last = Buffer.alloc(1);
    if (pages < 1 || !readAt(this.fd, last, (page + pages) * this.meta.pageBytes - 1)) throw new Damage();
  }
}

/** Looks through the pages of the open file `fd`. Reads only. */
export function readPages(fd: number): PageReport {
  const metas = readMetas(fd);
  if (typeof metas === "string") return { sound: false, problem: metas, txnId: -1 };
  const [meta] = metas as [Meta];
  const walk = new Walk(fd, meta);
  try {
    walk.run();
  } catch (error) {
    if (!(error instanceof Damage)) throw error;
    return { sound: false, problem: "damaged", txnId: meta.txnId };
  }
  return { sound: true, txnId: meta.txnId, empty: meta.main.root === NO_PAGE, root: walk.root };
}
