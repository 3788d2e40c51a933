import { createHash } from "node:crypto";
import { optionError } from "../../errors.ts";

/** Names and numbers that belong to one schema. */
export interface Names {
  /** As the caller wrote it, for error texts. */
  readonly schema: string;
  /** The schema as an SQL identifier. */
  readonly quoted: string;
  /** Put before each table and function: the schema and a dot. */
  readonly prefix: string;
  /** The channel of the schema's notifications. */
  readonly channel: string;
  /** The quote around a function's body. No name can contain it, because it is a hash of the name. */
  readonly tag: string;
  /** The first key of the advisory locks that show which instances live. The second key is the instance's id. */
  readonly lifeKey: number;
  /** The first key of the advisory locks on lanes. The second key is one of 128 groups of lanes. */
  readonly laneKey: number;
  /** The first key of the advisory lock for creating and migrating the schema. The second key is 0. */
  readonly schemaKey: number;
}

/** Postgres cuts longer names, so two schemas could become one. */
const MAX_NAME_BYTES = 63;

/**
 * The names and numbers of a schema.
 *
 * @throws {InboxError} `ERR_INBOX_OPTION` when it cannot be a schema's name.
 */
export function namesOf(schema: string): Names {
  const fits =
    typeof schema === "string" &&
    schema !== "" &&
    !schema.includes("\0") &&
    schema.isWellFormed() &&
    Buffer.byteLength(schema) <= MAX_NAME_BYTES &&
    !schema.startsWith("pg_");
  if (!fits)
    throw optionError("schema", `a name of 1 to ${MAX_NAME_BYTES} bytes that does not begin with \`pg_\``, schema);
  const quoted = `"${schema.replaceAll('"', '""')}"`;
  const hash = createHash("sha256").update(`openclaw-inbox ${schema}`).digest();
  // Positive, because Postgres shows the keys of its locks without a sign.
  const key = (at: number) => hash.readUInt32BE(at) & 0x7fff_ffff;
  return {
    schema,
    quoted,
    prefix: `${quoted}.`,
    channel: `openclaw_inbox_${hash.toString("hex", 12, 20)}`,
    tag: `$inbox_${hash.toString("hex", 20, 28)}$`,
    lifeKey: key(0),
    laneKey: key(4),
    schemaKey: key(8),
  };
}
