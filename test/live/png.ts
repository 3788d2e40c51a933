import { randomBytes } from "node:crypto";
import { crc32, deflateSync } from "node:zlib";

/** A square PNG in one colour, or of noise, which cannot be made smaller. */
export function writePng(side: number, colour?: Uint8Array): Uint8Array {
  const width = 1 + side * 3;
  const rows = colour === undefined ? randomBytes(side * width) : Buffer.alloc(side * width);
  for (let y = 0; y < side; y++) {
    // No filter.
    rows[y * width] = 0;
    if (colour !== undefined) for (let x = 0; x < side; x++) rows.set(colour, y * width + 1 + x * 3);
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(side, 0);
  header.writeUInt32BE(side, 4);
  // Eight bits of red, green and blue.
  header.set([8, 2], 8);
  const parts = [chunk("IHDR", header), chunk("IDAT", deflateSync(rows)), chunk("IEND", Buffer.alloc(0))];
  return new Uint8Array(Buffer.concat([Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]), ...parts]));
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type), data]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, checksum]);
}
